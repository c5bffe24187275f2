"""Words that mark a turn of thought (arXiv 2503.19855 section 4): how often each stands in a text."""

import re

WORDS = ("but", "wait", "maybe", "therefore")
_PATTERN = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)


def count_words(text: str) -> tuple[int, ...]:
    """Occurrences of each of WORDS, as whole words in any case."""
    found = [word.lower() for word in _PATTERN.findall(text)]
    return tuple(found.count(word) for word in WORDS)
