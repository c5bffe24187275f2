"""Whether a replica is given requests: set aside after faults, for pauses that grow, then tried with a few and more.

    taking ── faults ──► aside ── pause over, probe answered ──► on trial (1, 2, 4, … requests) ──► taking
                           ▲ └── probe failed ──┘                    │ a fault
                           └─────────────────────────────────────────┘

Faults of requests that were sent before it was last set aside do not count again. A pause that the replica asked for
because it is crowded sets it aside without a probe.
"""

import math
import random
import sys
from dataclasses import replace
from typing import Literal

from reasonmill.engine.teachers.replica_settings import BalanceSettings

HealthState = Literal["taking", "aside", "trial"]


class ReplicaHealth:
    """State of one replica; decides, waits for nothing itself."""

    def __init__(self, settings: BalanceSettings, *, seed: int) -> None:
        self._max_faults_in_row = settings.max_faults_in_row
        self._pauses = replace(settings.retry, max_tries=sys.maxsize)
        self._random = random.Random(seed)
        self._faults_in_row = 0
        self._times_aside = 0
        self.state: HealthState = "taking"
        self.epoch = 0  # how often it was set aside, the pauses for crowding apart
        self.until = 0.0  # takes nothing before, on the loop's clock
        self.trial_limit = 1
        self.crowded_in_row = 0

    def takes(self, now: float) -> bool:
        """Whether it may be given a request now, if it has room."""
        return self.state != "aside" and now >= self.until

    @property
    def most(self) -> float:
        """Requests that its health allows at once."""
        return math.inf if self.state == "taking" else self.trial_limit if self.state == "trial" else 0

    def succeeded(self) -> None:
        """An answer came back."""
        self._faults_in_row = 0
        self.crowded_in_row = 0

    def failed(self, now: float, *, epoch: int, unreachable: bool) -> bool:
        """A request that was sent in `epoch` failed; True where the replica is set aside for it."""
        if epoch != self.epoch or self.state == "aside":
            return False
        self._faults_in_row += 1
        allowed = 1 if unreachable or self.state == "trial" else self._max_faults_in_row
        if self._faults_in_row < allowed:
            return False
        self.set_aside(now)
        return True

    def set_aside(self, now: float) -> None:
        """Give it nothing before a pause is over and a probe was answered."""
        self.state = "aside"
        self.epoch += 1
        self._faults_in_row = 0
        self._times_aside += 1
        self.until = now + self._pause_s(self._times_aside, asked_s=None)

    def crowd(self, now: float, *, asked_s: float | None) -> None:
        """Give it nothing for a moment: it has more than it can take. Those turned away together make one pause."""
        left_s = self.until - now
        if left_s <= 0.0:
            self.crowded_in_row += 1
        elif (asked_s or 0.0) <= 1.5 * left_s:
            return
        self.until = now + self._pause_s(self.crowded_in_row, asked_s=asked_s)

    def put_on_trial(self) -> None:
        """A probe was answered: a request may show whether the replica is well."""
        self.state = "trial"
        self.trial_limit = 1

    def went_well(self, *, limit: int) -> None:
        """A poll's time passed on trial without a fault: twice as many, and from `limit` on it is well."""
        self.trial_limit *= 2
        if self.trial_limit >= limit:
            self.state = "taking"
            self._times_aside = 0

    def _pause_s(self, times: int, *, asked_s: float | None) -> float:
        pause = self._pauses.pause_s(times, draw=self._random.random(), asked_s=asked_s)
        assert pause is not None, "a replica is probed for as long as the teacher is open"
        return pause
