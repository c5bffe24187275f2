"""What a replica has open, and when one request more would be done: a fluid model, constant work per request.

All open requests advance alike, a token per step, so one counter of steps serves them all: a request is expected to end
when the counter reaches its start plus its predicted length. A request of E tokens beside others with r_i tokens left
takes `a E + b (E + sum of min(r_i, E))` seconds, where a step takes `a + b n`.
"""

import heapq
import itertools

from reasonmill.engine.teachers.replica_pace import Pace

_OVERDUE_GROWTH = 0.5  # a request longer than predicted is expected to go on for this share of what it has


class _Open:
    __slots__ = ("at", "end_step", "expected", "load_at", "start_step")

    def __init__(self, *, at: float, start_step: float, expected: float, load_at: float) -> None:
        self.at = at
        self.start_step = start_step
        self.expected = expected
        self.end_step = start_step + expected
        self.load_at = load_at


class ReplicaBatch:
    """The open requests of one replica. Every call brings the time, in seconds of one clock."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._ids = itertools.count()
        self._open: dict[int, _Open] = {}
        self._ends: list[tuple[float, int]] = []  # a heap; entries of ended requests are dropped when they come up
        self._sum_ends = 0.0  # over open requests, of end_step
        self._sum_starts = 0.0
        self._steps = 0.0
        self._load_time = 0.0  # integral of the number open over time
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def start(self, now: float, expected_tokens: float) -> int:
        """A request is open from now on; returns the ticket that `end` takes."""
        self._advance(now)
        ticket = next(self._ids)
        entry = _Open(at=now, start_step=self._steps, expected=expected_tokens, load_at=self._load_time)
        self._open[ticket] = entry
        self._sum_ends += entry.end_step
        self._sum_starts += entry.start_step
        heapq.heappush(self._ends, (entry.end_step, ticket))
        return ticket

    def end(self, now: float, ticket: int) -> tuple[float, float]:
        """The request is gone; returns its seconds and the mean number open meanwhile, itself included."""
        self._advance(now)
        entry = self._open.pop(ticket)
        if self._open:
            self._sum_ends -= entry.end_step
            self._sum_starts -= entry.start_step
        else:  # an empty batch forgets what rounding has left
            self._sum_ends = self._sum_starts = 0.0
            self._ends.clear()
        seconds = now - entry.at
        mean = (self._load_time - entry.load_at) / seconds if seconds > 0.0 else float(len(self._open) + 1)
        return seconds, max(1.0, mean)

    def finish_s(self, now: float, expected_tokens: float) -> float:
        """Seconds until a request of so many tokens would be done if it were started now."""
        self._advance(now)
        num_open = len(self._open)
        left = max(0.0, self._sum_ends - num_open * self._steps)
        beside = min(left, num_open * expected_tokens)  # at least the sum of min(r_i, E), and cheap
        return self._pace.base_s * expected_tokens + self._pace.slope_s * (expected_tokens + beside)

    def progress(self, now: float) -> float:
        """Tokens that an open request has on average; 0 when none is open."""
        self._advance(now)
        return (self._steps - self._sum_starts / len(self._open)) if self._open else 0.0

    def expected_tokens(self) -> float:
        """Tokens that an open request is expected to end with, on average; 0 when none is open."""
        return (self._sum_ends - self._sum_starts) / len(self._open) if self._open else 0.0

    def _advance(self, now: float) -> None:
        num_open = len(self._open)
        if num_open and now > self._now:
            self._steps += (now - self._now) / max(1e-9, self._pace.step_s(num_open))
            self._load_time += (now - self._now) * num_open
            self._extend_overdue()
        self._now = now

    def _extend_overdue(self) -> None:
        while self._ends and self._ends[0][0] <= self._steps:
            _, ticket = heapq.heappop(self._ends)
            entry = self._open.get(ticket)
            if entry is None:
                continue
            end = self._steps + max(16.0, _OVERDUE_GROWTH * (self._steps - entry.start_step))
            self._sum_ends += end - entry.end_step
            entry.end_step = end
            heapq.heappush(self._ends, (end, ticket))
