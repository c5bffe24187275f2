"""The longest stretch that two texts share, as the first of them has it."""

from difflib import SequenceMatcher

from reasonmill.kernels.tokens import tokenize

_SHOWN = 240  # characters
_COMPARED = 2000  # tokens of each text, so that two long texts cost milliseconds and not minutes


def longest_match(text: str, item: str) -> str:
    """The part of `text` whose tokens are the longest run that also stands in `item`; cut to 240 characters."""
    tokens = tokenize(text)
    here = [token.folded for token in tokens]
    there = [token.folded for token in tokenize(item)][:_COMPARED]
    best_start, best_size = 0, 0
    for offset in range(0, len(here), _COMPARED):
        matcher = SequenceMatcher(a=here[offset : offset + _COMPARED], b=there, autojunk=False)
        match = matcher.find_longest_match()
        if match.size > best_size:
            best_start, best_size = offset + match.a, match.size
    if best_size == 0:
        return ""
    return text[tokens[best_start].start : tokens[best_start + best_size - 1].end][:_SHOWN]
