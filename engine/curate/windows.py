"""Cuts a text that is longer than a model's window into pieces that fit it, so that nothing of the text goes unread.

Windows overlap by half: what is at most half a window long stands whole in one of them. Paragraphs are pieces of their
own beside them, for a question at the end of a long text is a small part of its window and hardly like itself there.
"""

import re

_BLANK_LINE = re.compile(r"\n[ \t\r]*\n\s*")


def windows(length: int, size: int) -> list[tuple[int, int]]:
    """Bounds of the windows of at most `size` tokens that cover `length` tokens; the last ends where the text does."""
    assert size > 0, "a window holds at least one token"
    if length <= size:
        return [(0, length)]
    step = max(1, size // 2)
    return [(start, start + size) for start in (*range(0, length - size, step), length - size)]


def paragraphs(text: str) -> list[str]:
    """What stands between blank lines; nothing where the text is one paragraph."""
    parts = [part.strip() for part in _BLANK_LINE.split(text) if part.strip()]
    return parts if len(parts) > 1 else []
