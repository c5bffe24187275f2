"""Rates over the last moments of a run, from counters read at every tick."""

from collections import deque
from collections.abc import Mapping

WINDOW_S = 60.0  # over which a rate is taken


class Rates:
    """Mean increase per second of each counter over the last WINDOW_S seconds."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, dict[str, int]]] = deque()

    def note(self, now: float, counters: Mapping[str, int]) -> None:
        """The counters at a moment."""
        self._seen.append((now, dict(counters)))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window_s:
            self._seen.popleft()

    def per_second(self, name: str) -> float:
        """Increase per second; 0 before the second moment."""
        if len(self._seen) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last.get(name, 0) - first.get(name, 0)) / max(last_s - first_s, 1e-9)


def remaining_s(done: int, total: int, *, done_before: int, elapsed_s: float) -> float | None:
    """Expected seconds to `total`, by the mean pace since `done_before`; None where there is no pace yet."""
    progressed = done - done_before
    if progressed <= 0 or elapsed_s <= 0.0 or done >= total:
        return None
    return (total - done) * elapsed_s / progressed
