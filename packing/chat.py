"""Conversations as tokens and loss mask. The loss is taken of the last assistant turn alone, from its first token to
its end token; the prompt is exactly what the template renders for generation.

Prompt and response are tokenised apart, as they are when a model answers. Nothing stands after the end token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.template import ChatTemplate
from reasonmill.packing.tokenizer import load_tokenizer, vocab_size

P = ParamSpec("P")
R = TypeVar("R")

_PLACEHOLDER = "\ue000response\ue001"  # private use area: in no template, and no template treats it specially
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"
# With reasoning, for a template that begins it in the prompt.
_SIMPLEST = (("user", "?"), ("assistant", f"{_THINK_OPEN}\n?\n{_THINK_CLOSE}\n\n!"))


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """`input_ids` uint32[L] and `target` bool[L]: whether the token is predicted with loss."""

    input_ids: NDArray[np.uint32]
    target: NDArray[np.bool_]


class ChatEncoder:
    """Encoder of one tokenizer folder: `tokenizer.json` and a chat template. Raises ValueError when one is missing, or
    when they cannot encode the simplest conversation.
    """

    def __init__(self, tokenizer_dir: str | Path) -> None:
        self.folder = Path(tokenizer_dir)
        self._tokenizer = load_tokenizer(self.folder)
        self._template = ChatTemplate(self.folder)
        self._special = {
            number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special
        }
        self._end_token_id = int(self.encode(_SIMPLEST).input_ids[-1])

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        return vocab_size(self._tokenizer)

    @property
    def end_token_id(self) -> int:
        """The token that ends an assistant's turn: where a model trained on these conversations stops."""
        return self._end_token_id

    def encode(self, messages: Sequence[tuple[str, str]]) -> Encoded:
        """Encode (role, content) turns that end with an assistant's.

        Raises ValueError when the last turn is no assistant's, is empty or holds an end token, or, naming the folder,
        when the template renders a conversation in which the prompt is not followed by the response and an end token.
        """
        prompt, response = self._render(messages)
        encode = self._tokenizer.encode
        return self._joined(
            encode(prompt, add_special_tokens=False).ids, encode(response, add_special_tokens=False).ids
        )

    def encode_batch(self, conversations: Sequence[Sequence[tuple[str, str]]]) -> list[Encoded | ValueError]:
        """What `encode` returns or raises for each conversation, tokenised on all cores."""
        rendered = [_or_refusal(self._render, messages) for messages in conversations]
        texts = [text for pair in rendered if isinstance(pair, tuple) for text in pair]
        ids = iter([encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)])
        return [
            _or_refusal(self._joined, next(ids), next(ids)) if isinstance(pair, tuple) else pair for pair in rendered
        ]

    def first_retokenised(self, encoded: Encoded) -> int | None:
        """Round trip: the tokens' text is tokenised anew, in one piece. None where that gives the same tokens; else the
        first position that differs, as where a tokenizer joins the last of the prompt and the first of the response.
        """
        text = self._tokenizer.decode(encoded.input_ids.tolist(), skip_special_tokens=False)
        again = np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.uint32)
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

    def _joined(self, prompt_ids: list[int], response_ids: list[int]) -> Encoded:
        end = len(response_ids)
        while end and response_ids[end - 1] not in self._special:
            end -= 1
        if end < 2:
            raise ValueError(f"the chat template of {str(self.folder)!r} ends no assistant turn with a special token")
        if response_ids[end - 1] in response_ids[: end - 1]:
            raise ValueError("the response holds the token that ends a turn: a model would learn to stop within it")
        target = np.zeros(len(prompt_ids) + end, np.bool_)
        target[len(prompt_ids) :] = True
        return Encoded(input_ids=np.array(prompt_ids + response_ids[:end], np.uint32), target=target)

    def _render(self, messages: Sequence[tuple[str, str]]) -> tuple[str, str]:
        """Text that the model is given, and text that it is to write."""
        if not messages or messages[-1][0] != "assistant":
            last = messages[-1][0] if messages else None
            raise ValueError(f"the conversation ends with a turn of {last!r}, expected 'assistant'")
        if not messages[-1][1].strip():
            raise ValueError("the conversation ends with an empty turn")
        history, answer = list(messages[:-1]), messages[-1][1]
        prompt = self._template.render(history, add_generation_prompt=True)
        whole = self._template.render(messages, add_generation_prompt=False)
        if whole.startswith(prompt) and (_THINK_CLOSE not in answer or _THINK_CLOSE in whole[len(prompt) :]):
            return prompt, whole[len(prompt) :]
        return prompt, self._restored(history, answer, prompt)

    def _restored(self, history: list[tuple[str, str]], answer: str, prompt: str) -> str:
        """The response word for word, where the template drops the reasoning or starts it in the prompt."""
        whole = self._template.render([*history, ("assistant", _PLACEHOLDER)], add_generation_prompt=False)
        before, found, after = whole.partition(_PLACEHOLDER)
        started = prompt.removeprefix(before) if prompt.startswith(before) else None
        if found and started == "":
            return answer + after
        if found and started is not None and started.strip() == _THINK_OPEN and answer.startswith(_THINK_OPEN):
            rest = answer.removeprefix(_THINK_OPEN)
            return (rest.lstrip("\n") if started.endswith("\n") else rest) + after
        raise ValueError(
            f"the chat template of {str(self.folder)!r} does not begin a conversation with its prompt, or drops the "
            f"reasoning of its last turn: the prompt ends {prompt[-40:]!r}, the conversation reads there "
            f"{whole[max(0, len(prompt) - 40) : len(prompt) + 20]!r}"
        )


def _or_refusal(work: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R | ValueError:
    try:
        return work(*arguments, **keywords)
    except ValueError as refusal:
        return refusal
