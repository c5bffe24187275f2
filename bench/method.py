"""Ratios between contestants that take turns in one process, so that a busy machine slows all of them alike.

On two shared cores rates swing by 1.4x between runs; interleaved ratios by about 3 %.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reasonmill.bench.figure import Figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """Seconds of each round, by contestant; round k of one stands beside round k of every other."""

    seconds: dict[str, list[float]]

    def best(self, name: str) -> float:
        """The fastest round, in seconds: the figure to quote for an absolute rate."""
        return min(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """How many times longer `slow` takes than `fast`: the median over rounds."""
        pairs = zip(self.seconds[slow], self.seconds[fast], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def spread(self, slow: str, fast: str) -> tuple[float, float]:
        """Lowest and highest ratio of any round."""
        ratios = [one / other for one, other in zip(self.seconds[slow], self.seconds[fast], strict=True)]
        return min(ratios), max(ratios)

    def figure(
        self, name: str, slow: str, fast: str, *, target: float | None = None, tolerance: float = 0.25, **detail: object
    ) -> Figure:
        """The ratio as a gated figure, with its spread and number of rounds beside `detail`."""
        lowest, highest = self.spread(slow, fast)
        return Figure(
            name=name,
            value=self.ratio(slow, fast),
            unit="x",
            target=target,
            gated=True,
            tolerance=tolerance,
            detail={"lowest": lowest, "highest": highest, "rounds": len(self.seconds[fast]), **detail},
        )


def interleave(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    clock: Callable[[], float] = time.process_time,
    warm_up: bool = True,
) -> Timings:
    """Time the contestants in turn, `rounds` times, in alternating order.

    `clock` is CPU time of this process by default; time.perf_counter where children or a device do the work.
    """
    if warm_up:
        for work in contestants.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            gc.collect()
            began = clock()
            contestants[name]()
            seconds[name].append(clock() - began)
    return Timings(seconds=seconds)
