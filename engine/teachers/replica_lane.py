"""One replica as its set sees it: what it has open, how fast it is, how much it may have, and whether it is well."""

import asyncio
import math
from dataclasses import dataclass

from reasonmill.engine.teachers.faults import NotTaken
from reasonmill.engine.teachers.protocol import Generation, Replica, ReplicaLoad
from reasonmill.engine.teachers.replica_batch import ReplicaBatch
from reasonmill.engine.teachers.replica_health import HealthState, ReplicaHealth
from reasonmill.engine.teachers.replica_limit import ReplicaLimit
from reasonmill.engine.teachers.replica_pace import Pace
from reasonmill.engine.teachers.replica_settings import BalanceSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaFigures:
    """One replica's state for progress and reports. Step seconds are those of one request alone and of each more."""

    name: str
    health: HealthState
    num_open: int
    limit: int
    step_s: float
    slope_s: float
    kv_cache_usage: float | None
    answers: int
    completion_tokens: int
    faults: int
    turned_away: int


class Lane:
    """Owned by the set: every method is called in its event loop, with the loop's time."""

    def __init__(self, replica: Replica, settings: BalanceSettings, *, seed: int) -> None:
        self.replica = replica
        self.pace = Pace()
        self.batch = ReplicaBatch(self.pace)
        self.health = ReplicaHealth(settings, seed=seed)
        self.limit = ReplicaLimit(initial=settings.initial_num_seqs, most=replica.max_num_seqs)
        self.tells_load: bool | None = None  # None: not asked yet
        self.polls_failed = 0
        self.looks_at = 0.0  # when the set looks for room on it again, after a pause
        self.nudged = asyncio.Event()  # it is said to be back
        self.disturbed = asyncio.Event()  # something went wrong: there is something to watch
        self._usage: float | None = None
        self._prompt_tokens = 0.0
        self._answers = self._tokens = self._faults = self._turned_away = 0

    def room(self, now: float) -> int:
        """How many more it may have open; 0 while it pauses."""
        if not self.health.takes(now):
            return 0
        allowed = min(self.health.most, self.limit.value)
        return max(0, math.floor(allowed) - len(self.batch))

    def start(self, now: float, expected_tokens: float) -> int:
        """Give it one request more; returns the batch's ticket."""
        ticket = self.batch.start(now, expected_tokens)
        self.limit.opened(len(self.batch))
        return ticket

    def answered(self, now: float, ticket: int, answer: Generation) -> None:
        """A request came back whole, or was broken off for a reason of its text."""
        seconds, mean_open = self.batch.end(now, ticket)
        self.health.succeeded()
        self._answers += 1
        self._tokens += answer.completion_tokens
        if answer.completion_tokens < 1 or seconds <= 0.0:
            return
        self.pace.observe(seconds / answer.completion_tokens, mean_open)
        self._prompt_tokens += max(0.05, 1.0 / self._answers) * (answer.prompt_tokens - self._prompt_tokens)
        if not self.tells_load:
            self.limit.completed(gain_of_doubling=self.pace.gain_of_doubling(mean_open))

    def failed(self, now: float, fault: Exception, *, epoch: int) -> None:
        """A request that was sent in `epoch` of its health ended with a fault."""
        self.disturbed.set()
        if isinstance(fault, NotTaken) and fault.crowded:
            self._turned_away += 1
            if now >= self.health.until:
                self.limit.crowded(len(self.batch) + 1)
            self.health.crowd(now, asked_s=fault.asked_s)
            return
        self._faults += 1
        unreachable = isinstance(fault, NotTaken) and fault.unreachable
        self.health.failed(now, epoch=epoch, unreachable=unreachable)

    def polled(self, now: float, load: ReplicaLoad | None) -> None:
        """It told its load, or that it tells none."""
        self.tells_load = load is not None
        if load is not None:
            self._usage = load.kv_cache_usage
            self.limit.polled(load, ripeness=self._ripeness(now), num_open=len(self.batch))

    def figures(self) -> ReplicaFigures:
        """Its state now."""
        return ReplicaFigures(
            name=self.replica.name,
            health=self.health.state,
            num_open=len(self.batch),
            limit=self.limit.value,
            step_s=self.pace.step_s(1.0),
            slope_s=self.pace.slope_s,
            kv_cache_usage=self._usage,
            answers=self._answers,
            completion_tokens=self._tokens,
            faults=self._faults,
            turned_away=self._turned_away,
        )

    def _ripeness(self, now: float) -> float:
        """Tokens that its open requests hold by those that they hold when they are half done."""
        half = self._prompt_tokens + self.batch.expected_tokens() / 2.0
        return (self._prompt_tokens + self.batch.progress(now)) / max(1.0, half)
