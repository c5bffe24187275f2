"""Finds a text that has begun to repeat itself, while it grows: a suffix that is the same thing over and over.

The end of the text is looked for further up: a distance p at which it occurs is a candidate, and it is a loop when the
last stretch equals itself shifted by p. One look reads at most a window of constant length, and there is one per
STRIDE characters: constant work per character, nearly all of it in C (a string search and one comparison).

A stretch that is a loop now was one, though a shorter one, some looks ago. So where the end of the text occurs nowhere
within reach, no loop can be complete for a while, and the looks of that while are left out: decisions are the same.
"""

from collections.abc import Callable

STRIDE = 256  # characters between looks: some 60 tokens
_NEEDLE = 40
_CANDIDATES = 6  # periods tried at one look; a period that holds its own end several times needs more than one


class PeriodFinder:
    """One text's state: its last characters, a few periods long, and what was not looked at yet."""

    __slots__ = (
        "_fold",
        "_fresh",
        "_max_period",
        "_min_repeats",
        "_min_span",
        "_num_fresh",
        "_reach",
        "_skip",
        "_tail",
    )

    def __init__(
        self, *, min_repeats: int, min_span: int, max_period: int, fold: Callable[[str], str] | None = None
    ) -> None:
        """`fold` turns characters into what they count as; it makes no text longer, and parts as it makes the whole."""
        self._max_period = max_period
        self._min_repeats = min_repeats
        self._min_span = min_span
        self._reach = max(min_span, min_repeats * max_period) + _NEEDLE
        self._fold = fold
        self._tail = ""
        self._fresh: list[str] = []
        self._num_fresh = 0
        self._skip = 0  # characters within which no loop can be complete

    def look(self, more: str) -> int | None:
        """The text has grown by `more`; the period of the loop that it now ends in, in characters, None without one."""
        self._fresh.append(more)
        self._num_fresh += len(more)
        if self._num_fresh <= self._skip:
            return None
        fresh = "".join(self._fresh)
        self._fresh.clear()
        self._num_fresh = self._skip = 0
        tail = self._tail = (self._tail + (self._fold(fresh) if self._fold else fresh))[-self._reach :]
        end = len(tail)
        if end < self._min_span:
            self._skip = self._min_span - end - 1
            return None
        start = end - _NEEDLE
        needle = tail[start:]
        lowest = max(0, start - self._max_period)
        before = end - 1
        for candidate in range(_CANDIDATES):
            at = tail.rfind(needle, lowest, before)
            if at < 0:
                if candidate == 0:
                    self._skip = self._safe()
                return None
            if self._repeats(tail, end, start - at):
                return start - at
            before = at + _NEEDLE - 1
        return None

    def _safe(self) -> int:
        """Characters that a text can grow by, after a look without a candidate, before it can end in a loop: of one of
        period p, which spans max(min_span, min_repeats * p), all but the first p characters would have been candidates.
        """
        longest = min(self._max_period, -(-self._min_span // self._min_repeats))
        return max(0, self._min_span - longest - _NEEDLE)

    def _repeats(self, tail: str, end: int, period: int) -> bool:
        span = max(self._min_span, self._min_repeats * period)
        return span <= end and tail[end - span + period :] == tail[end - span : end - period]
