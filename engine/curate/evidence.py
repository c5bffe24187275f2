"""The longest stretch that two texts share, as the first of them has it."""

from difflib import SequenceMatcher

from reasonmill.kernels.tokens import tokenize

_SHOWN = 240  # characters
_COMPARED = 2000  # tokens of each text, so that two long texts cost milliseconds and not minutes
_PIECE = 2**16  # characters of a long text that are split into tokens at once: 50 MB of tokens are gigabytes


def longest_match(text: str, item: str) -> str:
    """The part of `text` whose tokens are the longest run that also stands in `item`; cut to 240 characters.

    A long text is looked through in pieces, each with as much of the next as the item is long, up to the first that
    holds the item whole.
    """
    there = [token.folded for token in tokenize(item[:_PIECE])][:_COMPARED]
    overlap = min(2 * len(item), _PIECE // 2)
    best, best_size = "", 0
    for start in range(0, len(text), _PIECE - overlap):
        found, size = _longest(text[start : start + _PIECE], there)
        if size > best_size:
            best, best_size = found, size
        if best_size == len(there) or start + _PIECE >= len(text):
            break
    return best


def _longest(text: str, there: list[str]) -> tuple[str, int]:
    """The longest match with these tokens, cut, and its size in tokens."""
    tokens = tokenize(text)
    here = [token.folded for token in tokens]
    best_start, best_size = 0, 0
    for offset in range(0, len(here), _COMPARED):
        matcher = SequenceMatcher(a=here[offset : offset + _COMPARED], b=there, autojunk=False)
        match = matcher.find_longest_match()
        if match.size > best_size:
            best_start, best_size = offset + match.a, match.size
    if best_size == 0:
        return "", 0
    return text[tokens[best_start].start : tokens[best_start + best_size - 1].end][:_SHOWN], best_size
