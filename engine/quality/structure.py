"""Structure of an answer: one reasoning part, one answer part, both complete."""

import re

from reasonmill.verify.answer import Response

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_BLANK = re.compile(r"\s*")


def structure_fault(text: str, parts: Response, *, require_think: bool, require_answer: bool) -> str | None:
    """Reason code of the first fault of a response with its `parts`, or None."""
    if not parts.finished:
        return "unfinished"
    if require_think and _is_blank(parts.think):
        return "no_think"
    if require_answer and _is_blank(parts.answer):
        return "no_answer_part"
    if any(text.count(tag) > 1 for tag in _TAGS):
        return "repeated_part"
    return None


def _is_blank(text: str | None) -> bool:
    return text is None or _BLANK.fullmatch(text) is not None
