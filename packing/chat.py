"""Conversations as tokens and loss mask. The loss is taken of the last assistant turn alone, from its first token to
its end token; the prompt is exactly what the template renders for generation.

The response has the tokens that the whole text has behind those of the prompt. Where a tokenizer would join the two,
the prompt keeps the tokens that a model is given, and the response is tokenised apart. Nothing stands after the end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.response import THINK_CLOSE, THINK_OPEN, around_response, prompt_and_response
from reasonmill.packing.template import ChatTemplate
from reasonmill.packing.tokenizer import load_tokenizer, vocab_size

P = ParamSpec("P")
R = TypeVar("R")

_QUESTION = (("user", "?"),)
# With reasoning, for a template that begins it in the prompt.
_SIMPLEST = (*_QUESTION, ("assistant", f"{THINK_OPEN}\n?\n{THINK_CLOSE}\n\n!"))


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """`input_ids` uint32[L] and `target` bool[L]: whether the token is predicted with loss."""

    input_ids: NDArray[np.uint32]
    target: NDArray[np.bool_]


class ChatEncoder:
    """Encoder of one tokenizer folder: `tokenizer.json` and a chat template. `date` (YYYY-MM-DD, else today) is what a
    template is told that asks for the day.

    Raises ValueError when one is missing, or when they cannot encode the simplest conversation.
    """

    def __init__(self, tokenizer_dir: str | Path, *, date: str = "") -> None:
        self.folder = Path(tokenizer_dir)
        self._tokenizer = load_tokenizer(self.folder)
        self._template = ChatTemplate(self.folder, date=date)
        self._special = np.zeros(vocab_size(self._tokenizer), np.bool_)
        for number, token in self._tokenizer.get_added_tokens_decoder().items():
            self._special[number] = token.special
        _, simplest = prompt_and_response(self._template, _SIMPLEST, self.folder)
        self._end_token_id, self._behind_end = self._ending()
        # what the template writes around a response or its reasoning, and a response may therefore hold
        own = self._specials(simplest)
        self._own = frozenset(own[: len(own) - 1 - self._behind_end])
        self.encode(_SIMPLEST)

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        return len(self._special)

    @property
    def end_token_id(self) -> int:
        """The token that ends an assistant's turn: where a model trained on these conversations stops."""
        return self._end_token_id

    def encode(self, messages: Sequence[tuple[str, str]]) -> Encoded:
        """Encode (role, content) turns that end with an assistant's.

        Raises ValueError when the last turn is no assistant's, is empty or holds a special token, or, naming the
        folder, when the template renders a conversation in which the response and its end do not follow the prompt.
        """
        prompt, response = prompt_and_response(self._template, messages, self.folder)
        return self._joined(self._ids(prompt), self._ids(prompt + response), response)

    def encode_batch(self, conversations: Sequence[Sequence[tuple[str, str]]]) -> list[Encoded | ValueError]:
        """What `encode` returns or raises for each conversation, tokenised on all cores."""
        rendered = [
            _or_refusal(prompt_and_response, self._template, messages, self.folder) for messages in conversations
        ]
        pairs = [pair for pair in rendered if isinstance(pair, tuple)]
        texts = [text for prompt, response in pairs for text in (prompt, prompt + response)]
        ids = iter([encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)])
        return [
            _or_refusal(self._joined, next(ids), next(ids), pair[1]) if isinstance(pair, tuple) else pair
            for pair in rendered
        ]

    def first_retokenised(self, encoded: Encoded) -> int | None:
        """Round trip: the tokens' text is tokenised anew, in one piece. None where that gives the same tokens; else the
        first position that differs, as where a tokenizer joins the last of the prompt and the first of the response.
        """
        text = self._tokenizer.decode(encoded.input_ids.tolist(), skip_special_tokens=False)
        again = np.array(self._ids(text), np.uint32)
        shorter = min(len(again), len(encoded.input_ids))
        differing = np.flatnonzero(again[:shorter] != encoded.input_ids[:shorter])
        if len(differing):
            return int(differing[0])
        return None if len(again) == len(encoded.input_ids) else shorter

    def spans(self, encoded: Encoded) -> list[tuple[str, bool]]:
        """The text in runs of context and of target, in order."""
        borders = np.flatnonzero(np.diff(encoded.target)) + 1
        return [
            (self._tokenizer.decode(part.tolist(), skip_special_tokens=False), bool(encoded.target[start]))
            for part, start in zip(np.split(encoded.input_ids, borders), [0, *borders.tolist()], strict=True)
        ]

    def _joined(self, prompt_ids: list[int], whole_ids: list[int], response: str) -> Encoded:
        """Prompt and response up to its end token, in the tokens of both in one piece where these begin with those of
        the prompt.
        """
        length = len(prompt_ids)
        of_response = whole_ids[length:] if whole_ids[:length] == prompt_ids else self._ids(response)
        ids = np.array(prompt_ids + of_response, np.uint32)
        special = length + np.flatnonzero(self._special[ids[length:]])
        end = int(special[-1 - self._behind_end]) if len(special) > self._behind_end else length
        if end == length or ids[end] != self._end_token_id:
            raise ValueError(f"the chat template of {str(self.folder)!r} does not end this response as it ends others")
        for number in ids[special[special < end]].tolist():
            if number == self._end_token_id:
                raise ValueError("the response holds the token that ends a turn: a model would learn to stop within it")
            if number not in self._own:
                token = self._tokenizer.id_to_token(number)
                raise ValueError(f"the response holds {token!r}, a token that only a chat template writes")
        target = np.zeros(end + 1, np.bool_)
        target[length:] = True
        return Encoded(input_ids=ids[: end + 1], target=target)

    def _ending(self) -> tuple[int, int]:
        """The token that ends a response wherever it stands, and how many special tokens follow it in the last turn:
        some templates end the conversation as well.
        """
        last = self._specials(around_response(self._template, _QUESTION)[1])
        between = _or_refusal(around_response, self._template, _QUESTION, _QUESTION)
        following = last if isinstance(between, ValueError) else self._specials(between[1])
        both = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(last, following, strict=False))]
        if not last:
            raise ValueError(f"the chat template of {str(self.folder)!r} ends no assistant turn with a special token")
        return (both or last)[-1], len(last) - len(both or last)

    def _specials(self, text: str) -> list[int]:
        return [number for number in self._ids(text) if self._special[number]]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _or_refusal(work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R | ValueError:
    try:
        return work(*arguments, **keywords)
    except ValueError as refusal:
        return refusal
