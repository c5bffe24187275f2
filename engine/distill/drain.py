"""Which open pairs to ask once more, at once, when no query is left to ask: those whose next attempt may well be
needed, since all attempts under way may fail; the longest first, since it would end last.
"""

import heapq

from reasonmill.engine.distill.pair import Pair

# The chance of being needed below which an extra attempt is not asked: each takes speed from those that are.
MIN_NEED = 0.15


class Drain:
    """Open pairs by the expected length of one more attempt; entries of changed pairs fall out when met."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, int, Pair]] = []
        self._pushed = 0

    def put(self, pair: Pair, *, pass_chance: float, tokens: float) -> None:
        """Take up an open pair, or what changed of it."""
        pair.version += 1
        self._pushed += 1
        need = (1.0 - pass_chance) ** max(len(pair.open), 1)
        if need >= MIN_NEED:
            heapq.heappush(self._heap, (-tokens, pair.ordinal, self._pushed, pair.version, pair))

    def get(self) -> Pair | None:
        """The pair whose extra attempt is the longest, None where none is worth it."""
        while self._heap:
            _, _, _, version, pair = heapq.heappop(self._heap)
            if version == pair.version and pair.open:
                return pair
        return None
