"""Copies of an evaluation item with other numbers in them: the same question as a template, and contamination. Where a
short item is full of numbers, hardly an n-gram of it survives such a change, but its words do, in their order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reasonmill.engine.curate.template_words import is_common
from reasonmill.kernels.tokens import Token, tokenize

_LEAST_WORDS = 5  # that are no numbers and no usual words: "what is 2 + 3" is everybody's template
_NUMBER = re.compile(r"[\d.,/]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Template:
    """`tokens` in order, numbers as #; `words`: those that tell most of it, long ones first."""

    tokens: list[str]
    words: list[str]


class Templates:
    """Items as templates, made on first use: few are ever asked for."""

    def __init__(self, items: Sequence[str]) -> None:
        self._items = items
        self._known: dict[int, _Template | None] = {}

    def stands_in(self, text: str, item: int) -> bool:
        """Whether the item's words and signs stand in the text, one after the other, with any numbers between them."""
        if item not in self._known:
            self._known[item] = _template(self._items[item])
        wanted = self._known[item]
        if wanted is None or not _may_hold(text, wanted.words):
            return False
        found, tokens = _masked(tokenize(text)), wanted.tokens
        starts = range(len(found) - len(tokens) + 1)
        return any(found[at] == tokens[0] and found[at : at + len(tokens)] == tokens for at in starts)


def _template(item: str) -> _Template | None:
    tokens = tokenize(item)
    telling = [token.folded for token in tokens if not is_common(token) and not _is_number(token)]
    if len(telling) < _LEAST_WORDS:
        return None
    return _Template(tokens=_masked(tokens), words=sorted(set(telling), key=lambda word: (-len(word), word)))


def _may_hold(text: str, words: Sequence[str]) -> bool:
    """Whether all words might stand in the text: nearly every text lacks the first, and is not read for it."""
    if not text.isascii():
        return True  # what folds to them may be written in another way
    lower = text.lower()
    return all(word in lower for word in words)


def _is_number(token: Token) -> bool:
    return _NUMBER.fullmatch(token.folded) is not None


def _masked(tokens: Sequence[Token]) -> list[str]:
    return ["#" if _is_number(token) else token.folded for token in tokens]
