"""Finds a text that has begun to repeat itself, while it grows: a suffix that is the same thing over and over.

The end of the text is looked for further up: a distance p at which it occurs is a candidate, and it is a loop when the
last stretch equals itself shifted by p. One look reads at most a window of constant length, and there is one per
STRIDE characters: constant work per character, nearly all of it in C (a string search and one comparison).
"""

STRIDE = 256  # characters between looks: some 60 tokens
_NEEDLE = 40
_CANDIDATES = 6  # periods tried at one look; a period that holds its own end several times needs more than one


class PeriodFinder:
    """One text's state: its last characters, a few periods long."""

    __slots__ = ("_max_period", "_min_repeats", "_min_span", "_reach", "_tail")

    def __init__(self, *, min_repeats: int, min_span: int, max_period: int) -> None:
        self._min_repeats = min_repeats
        self._min_span = min_span
        self._max_period = max_period
        self._reach = max(min_span, min_repeats * max_period) + _NEEDLE
        self._tail = ""

    def look(self, more: str) -> int | None:
        """The text has grown by `more`; the period of the loop that it now ends in, in characters, None without one."""
        tail = self._tail = (self._tail + more)[-self._reach :]
        end = len(tail)
        if end < self._min_span:
            return None
        start = end - _NEEDLE
        needle = tail[start:]
        lowest = max(0, start - self._max_period)
        before = end - 1
        for _ in range(_CANDIDATES):
            at = tail.rfind(needle, lowest, before)
            if at < 0:
                return None
            if self._repeats(tail, end, start - at):
                return start - at
            before = at + _NEEDLE - 1
        return None

    def _repeats(self, tail: str, end: int, period: int) -> bool:
        span = max(self._min_span, self._min_repeats * period)
        return span <= end and tail[end - span + period :] == tail[end - span : end - period]
