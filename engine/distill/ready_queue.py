"""Pairs whose next attempt may be asked now, and the order in which they are.

Queries are taken in windows of their input order: a pair of an earlier window goes ahead of all later ones, so that
open queries end instead of piling up and release stays close behind; inside a window rank decides. Deferred pairs
come behind all others.
"""

import heapq
from typing import Literal

from reasonmill.engine.distill.pair import Pair

Ranking = Literal["finish", "value", "arrival"]


class ReadyQueue:
    """A heap of pairs. Its bound is the number of open queries, which the asker holds."""

    def __init__(self, ranking: Ranking, window: int) -> None:
        """`window` queries are ranked against each other."""
        self._ranking = ranking
        self._window = window
        self._heap: list[tuple[bool, int, float, int, int, Pair]] = []
        self._pushed = 0

    def put(self, pair: Pair, *, pass_chance: float, tokens: float) -> None:
        """Add a pair with what is expected of its next attempt."""
        self._pushed += 1
        if self._ranking == "arrival":
            window, rank = pair.ordinal, 0.0
        else:
            window = pair.ordinal // self._window
            # longest expected way to acceptance first / most accepted per generated token first, long ones among equals
            rank = -tokens / pass_chance if self._ranking == "finish" else -pass_chance - 1e-9 * tokens
        heapq.heappush(self._heap, (pair.late, window, rank, pair.ordinal, self._pushed, pair))

    def get(self) -> Pair:
        """The pair that is to be asked first. Raises IndexError where there is none."""
        return heapq.heappop(self._heap)[-1]

    def __len__(self) -> int:
        return len(self._heap)
