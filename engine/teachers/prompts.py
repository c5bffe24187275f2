"""From a conversation to the tokens that a model continues, through the tokenizer's own chat template."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_OPENED_THINKING = re.compile(r"<think>\s*\Z")


class ChatTokenizer(Protocol):
    """The two methods of a transformers tokenizer that rendering needs."""

    def apply_chat_template(self, conversation: Any, **options: Any) -> Any:
        """Text of the conversation, with tokenize=False."""
        ...

    def encode(self, text: str, **options: Any) -> list[int]:
        """Token ids of the text."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """`token_ids` are what the model continues; `opening` is the part of them that belongs to its answer."""

    token_ids: list[int]
    opening: str


def render(tokenizer: ChatTokenizer, turns: Sequence[tuple[str, str]], generation_prompt: str) -> Prompt:
    """Prompt for the next assistant turn.

    The answer begins with `generation_prompt`, and with a `<think>` that the template itself leaves open at its end
    (DeepSeek-R1's does). Raises ValueError where there is no template or it refuses the conversation.
    """
    conversation = [{"role": role, "content": content} for role, content in turns]
    try:
        text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    except Exception as refusal:  # templates raise what they like
        raise ValueError(f"the chat template refuses the conversation: {refusal}") from refusal
    thinking = _OPENED_THINKING.search(text)
    opening = (thinking.group() if thinking else "") + generation_prompt
    return Prompt(token_ids=tokenizer.encode(text + generation_prompt, add_special_tokens=False), opening=opening)


def with_system_prompt(turns: Sequence[tuple[str, str]], system_prompt: str | None) -> tuple[tuple[str, str], ...]:
    """The conversation with `system_prompt` in front, unless it begins with a system turn of its own."""
    if not system_prompt or (turns and turns[0][0] == "system"):
        return tuple(turns)
    return (("system", system_prompt), *turns)
