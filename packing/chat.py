"""Conversations as tokens and loss mask. The loss is taken of the last assistant turn alone, from its first token to
its end token; the prompt is exactly what the template renders for generation.

Prompt and response are tokenised apart, as they are when a model answers. Nothing stands after the end token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.template import ChatTemplate
from reasonmill.packing.tokenizer import load_tokenizer, vocab_size

_PLACEHOLDER = "\ue000response\ue001"  # private use area: in no template, and no template treats it specially
_THINK_OPEN, _THINK_CLOSE = "<think>", "</think>"


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """`input_ids` uint32[L] and `target` bool[L]: whether the token is predicted with loss."""

    input_ids: NDArray[np.uint32]
    target: NDArray[np.bool_]


class ChatEncoder:
    """Encoder of one tokenizer folder: `tokenizer.json` and a chat template. Raises ValueError when one is missing."""

    def __init__(self, tokenizer_dir: str | Path) -> None:
        self.folder = Path(tokenizer_dir)
        self._tokenizer = load_tokenizer(self.folder)
        self._template = ChatTemplate(self.folder)
        self._special = {
            number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special
        }

    @property
    def vocab_size(self) -> int:
        """One more than the largest token id."""
        return vocab_size(self._tokenizer)

    @property
    def end_token_id(self) -> int:
        """The token that ends an assistant's turn: where a model trained on these conversations stops."""
        return int(self.encode([("user", "?"), ("assistant", "!")]).input_ids[-1])

    def encode(self, messages: Sequence[tuple[str, str]]) -> Encoded:
        """Encode (role, content) turns that end with an assistant's.

        Raises ValueError naming the folder when the last turn is no assistant's, or when the template renders a
        conversation in which the prompt is not followed by the response and an end token.
        """
        if not messages or messages[-1][0] != "assistant":
            last = messages[-1][0] if messages else None
            raise ValueError(f"the conversation ends with a turn of {last!r}, expected 'assistant'")
        prompt, response = self._render(messages)
        prompt_ids = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        response_ids = self._tokenizer.encode(response, add_special_tokens=False).ids
        end = len(response_ids)
        while end and response_ids[end - 1] not in self._special:
            end -= 1
        if end < 2:
            raise ValueError(f"the chat template of {str(self.folder)!r} ends no assistant turn with a special token")
        target = np.zeros(len(prompt_ids) + end, np.bool_)
        target[len(prompt_ids) :] = True
        return Encoded(input_ids=np.array(prompt_ids + response_ids[:end], np.uint32), target=target)

    def _render(self, messages: Sequence[tuple[str, str]]) -> tuple[str, str]:
        """Text that the model is given, and text that it is to write."""
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
