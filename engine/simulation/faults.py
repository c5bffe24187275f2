"""What happens to a request on its way, and when a replica dies: by seed, but anew each time it is asked."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from reasonmill.engine.simulation import draws
from reasonmill.engine.simulation.settings import REQUEST_FAULTS, FaultSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFault:
    """One of drop, busy, error, malformed, empty, hang; a dropped answer ends after `share` of its tokens."""

    kind: str
    share: float


class Mishaps:
    """The faults of one replica."""

    def __init__(self, faults: FaultSettings, *, seed: int, replica: str) -> None:
        self.change(faults)
        self._deaths_per_s = faults.deaths_per_hour / 3600.0
        self._down_s = faults.down_s
        self._seed = seed
        self._replica = replica
        self._unlucky: Counter[tuple[str, int]] = Counter()  # times that a request has failed here

    def change(self, faults: FaultSettings) -> None:
        """Other rates from now on, for faults of requests; deaths stay as they are."""
        self._rates = [(name.removesuffix("_rate"), getattr(faults, name)) for name in REQUEST_FAULTS]
        self._any = any(rate > 0.0 for _, rate in self._rates)

    def of_request(self, query: str, seed: int) -> RequestFault | None:
        """What happens to a request that is asked now; None for nothing."""
        if not self._any:
            return None
        times = self._unlucky.get((query, seed), 0)
        share, place, _, _ = draws.shares("mishap", self._seed, self._replica, query, seed, times)
        for kind, rate in self._rates:
            share -= rate
            if share < 0.0:
                self._unlucky[query, seed] += 1
                return RequestFault(kind=kind, share=place)
        return None

    def outages(self) -> Iterator[tuple[float, float]]:
        """(death, return) in seconds since the replica began, in order; empty for one that never dies."""
        at, number = 0.0, 0
        while self._deaths_per_s > 0.0:
            lived = -math.log(draws.shares("death", self._seed, self._replica, number)[0]) / self._deaths_per_s
            at += lived
            yield at, at + self._down_s
            at += self._down_s
            number += 1
