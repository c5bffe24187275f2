"""Repetition inside one answer, in plain Python: the twin that says what `repetition` must count."""

import re
from collections import Counter

# a CJK character counts as a word: such text has no spaces
_WORDS = re.compile(r"[぀-ヿ㐀-䶿一-鿿가-힯]|[^\W぀-ヿ㐀-䶿一-鿿가-힯]+|[^\w\s]")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
LONGEST_PHRASE = 8  # words of a phrase whose immediate repetition counts as a run


def words_of(text: str) -> list[str]:
    """Words and punctuation marks of a text, A to Z as a to z."""
    return _WORDS.findall(text.translate(_LOWER))


def commonest_ngram_count(words: list[str], n: int) -> int:
    """Occurrences of the n-gram that occurs most; 0 for a text shorter than n words."""
    if len(words) < n:
        return 0
    counts = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return max(counts.values())


def longest_run(words: list[str]) -> int:
    """Most immediate repetitions of one phrase of up to eight words, the first included; phrases of digits alone
    do not count, since 0.3333333333 and a long sum are no loops.
    """
    best = 1 if words else 0
    for size in range(1, LONGEST_PHRASE + 1):
        matches = 0
        for i in range(size, len(words)):
            same = words[i] == words[i - size] and any(w.isalpha() for w in words[i - size + 1 : i + 1])
            matches = matches + 1 if same else 0
            best = max(best, matches // size + 1)
    return best
