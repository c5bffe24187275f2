"""The last turn of a conversation as text: what the model is given, and what it is to write.

A template may trim the response or lay its reasoning out anew; then its form is taken. One that drops or repeats a part
of it is asked where the response stands, and the response is put there word for word.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from reasonmill.packing.template import ChatTemplate

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
_PLACEHOLDER = "\ue000response\ue001"  # private use area: in no template, and no template treats it specially
# Reasoning that a template begins, or leaves empty, where the response stands.
_REASONING = re.compile(rf"(?:{THINK_OPEN}\s*)?(?:{THINK_CLOSE}\s*)?$")


def prompt_and_response(template: ChatTemplate, messages: Sequence[tuple[str, str]], folder: Path) -> tuple[str, str]:
    """What the template renders for generation, and what follows it up to the end of the conversation.

    Raises ValueError when the last turn is no assistant's or is empty, when a turn is no Unicode, or, naming the
    folder, when the prompt is not what the conversation begins with.
    """
    if not messages or messages[-1][0] != "assistant":
        last = messages[-1][0] if messages else None
        raise ValueError(f"the conversation ends with a turn of {last!r}, expected 'assistant'")
    if not messages[-1][1].strip():
        raise ValueError("the conversation ends with an empty turn")
    for role, content in messages:
        (role + content).encode()  # half a surrogate pair is refused here: tokenizers would refuse the whole batch
    history, answer = list(messages[:-1]), messages[-1][1]
    prompt = template.render(history, add_generation_prompt=True)
    whole = template.render(messages, add_generation_prompt=False)
    begun = prompt.rstrip().endswith(THINK_OPEN)
    if whole.startswith(prompt) and _holds(whole[len(prompt) :], answer, begun=begun):
        return prompt, whole[len(prompt) :]
    before, after = around_response(template, history)
    response = _continuing(prompt, answer) if begun else answer
    if response is None or before is None or _header(before) != _header(prompt):
        place = max(0, len(prompt) - 40)
        raise ValueError(
            f"the chat template of {str(folder)!r} does not begin a conversation with its prompt, or drops the "
            f"reasoning of its last turn: the prompt ends {prompt[-40:]!r}, the conversation reads there "
            f"{(before or whole)[place : place + 60]!r}"
        )
    if not response.strip():
        raise ValueError("the conversation ends with an empty turn")
    return prompt, response + after


def around_response(
    template: ChatTemplate, history: Sequence[tuple[str, str]], then: Sequence[tuple[str, str]] = ()
) -> tuple[str | None, str]:
    """Text before and after a response to `history`; None before it where the template does not show the response."""
    turns = [*history, ("assistant", _PLACEHOLDER), *then]
    before, found, after = template.render(turns, add_generation_prompt=False).rpartition(_PLACEHOLDER)
    return before if found else None, after


def _holds(rendered: str, answer: str, *, begun: bool) -> bool:
    """Whether all of the answer stands in its rendered form, once and in order; whitespace is the template's affair.

    `begun`: the prompt has opened the reasoning. An answer without reasoning may get an empty one, and one that only
    closes its reasoning an opening.
    """
    wanted = _squeezed(answer)
    if begun:
        wanted = wanted.removeprefix(THINK_OPEN)
    if not wanted:
        return False
    lead, found, _ = _squeezed(rendered).partition(wanted)
    if not found or (THINK_OPEN not in lead and THINK_CLOSE not in lead):
        return bool(found)
    if THINK_CLOSE not in wanted:
        return lead.endswith(THINK_CLOSE)
    return not begun and not wanted.startswith(THINK_OPEN) and lead.endswith(THINK_OPEN)


def _continuing(prompt: str, answer: str) -> str | None:
    """The answer behind a prompt that has opened its reasoning; None where it has none to go on with."""
    opened = answer.lstrip()
    if not opened.startswith(THINK_OPEN):
        return answer if THINK_CLOSE in answer else None
    rest = opened.removeprefix(THINK_OPEN)
    return rest.removeprefix("\n") if prompt.endswith("\n") else rest


def _header(text: str) -> str:
    """Text up to where a response stands, without reasoning that the template begins or leaves empty."""
    found = _REASONING.search(text)
    return text[: found.start()].rstrip() if found else text.rstrip()


def _squeezed(text: str) -> str:
    return "".join(text.split())
