"""Pairs whose next attempt may be asked now, and the order in which they are.

Queries are taken in windows of their input order: a pair of an earlier window goes ahead of all later ones, so that
open queries end instead of piling up and release stays close behind; inside a window rank decides. Deferred pairs
come behind all others.

Once no query will come any more, `finish` looks at the end of the run alone: what may be long and is not known to be
short has to begin first, so queries without an answer go ahead of those whose lengths were seen, windows or not.
"""

import heapq
from typing import Literal

from reasonmill.engine.distill.pair import Pair

Ranking = Literal["finish", "value", "arrival"]
_Key = tuple[bool, int, float, int]


class ReadyQueue:
    """A heap of pairs. Its bound is the number of open queries, which the asker holds."""

    def __init__(self, ranking: Ranking, window: int) -> None:
        """`window` queries are ranked against each other."""
        self._ranking = ranking
        self._window = window
        self._ending = False
        self._heap: list[tuple[_Key, int, Pair, float, float, bool]] = []
        self._pushed = 0

    def put(self, pair: Pair, *, pass_chance: float, tokens: float, known: bool = False) -> None:
        """Add a pair with what is expected of its next attempt; `known` if an answer to its query was seen."""
        self._pushed += 1
        key = self._key(pair, pass_chance, tokens, known)
        heapq.heappush(self._heap, (key, self._pushed, pair, pass_chance, tokens, known))

    def get(self) -> Pair:
        """The pair that is to be asked first. Raises IndexError where there is none."""
        return heapq.heappop(self._heap)[2]

    def begin_end(self) -> None:
        """No query will come any more."""
        self._ending = True
        self._heap = [
            (self._key(pair, pass_chance, tokens, known), pushed, pair, pass_chance, tokens, known)
            for _, pushed, pair, pass_chance, tokens, known in self._heap
        ]
        heapq.heapify(self._heap)

    def _key(self, pair: Pair, pass_chance: float, tokens: float, known: bool) -> _Key:
        if self._ranking == "arrival":
            return pair.late, pair.ordinal, 0.0, 0
        if self._ranking == "value":  # the most accepted per generated token first, long ones among equals
            return pair.late, pair.ordinal // self._window, -pass_chance - 1e-9 * tokens, pair.ordinal
        way = -tokens / pass_chance  # the longest expected way to an accepted answer first
        if self._ending:
            return known, 0, way, pair.ordinal
        return pair.late, pair.ordinal // self._window, way, pair.ordinal

    def __len__(self) -> int:
        return len(self._heap)
