"""Time and memory of work on a device: contestants take turns, as in bench/method.py, and CUDA events do the timing."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds of one call, by contestant and round; bytes that a call held at most beyond what was held before it.

    `absent` says why a contestant has no figures.
    """

    seconds: dict[str, list[float]]
    peak_bytes: dict[str, int]
    absent: dict[str, str] = field(default_factory=dict)

    def best(self, name: str) -> float:
        """The fastest round, in seconds a call."""
        return min(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """How many times longer `slow` takes than `fast`: the median over rounds."""
        return statistics.median(a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True))

    def remarks(self) -> Iterator[str]:
        """A sentence for each contestant that has no figures."""
        for name, reason in self.absent.items():
            yield f"{name}: not measured: {reason}"


def device_of(dry_run: bool) -> torch.device:
    """The GPU, or the CPU of a dry run. Raises ValueError where there is no GPU."""
    if not dry_run and not torch.cuda.is_available():
        raise ValueError("torch sees no GPU; --dry-run needs none")
    return torch.device("cpu" if dry_run else "cuda")


def measure(contestants: Mapping[str, Work], *, rounds: int = 5, calls: int = 1) -> Measured:
    """Time `calls` calls a round of each contestant in turn. One that fails is left out, and says why."""
    peaks: dict[str, int] = {}
    absent: dict[str, str] = {}
    for name, work in contestants.items():
        try:
            work()  # compiles, and chooses algorithms
            peaks[name] = _peak(work)
        except Exception as error:  # noqa: BLE001 - it is told, and the others go on
            absent[name] = f"{type(error).__name__}: {str(error)[:300]}"
    seconds: dict[str, list[float]] = {name: [] for name in peaks}
    for number in range(rounds):
        for name in peaks if number % 2 == 0 else reversed(peaks):
            seconds[name].append(_time(contestants[name], calls) / calls)
    return Measured(seconds=seconds, peak_bytes=peaks, absent=absent)


def _time(work: Work, calls: int) -> float:
    if not torch.cuda.is_available():
        began = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - began
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        work()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1000


def _peak(work: Work) -> int:
    if not torch.cuda.is_available():
        work()
        return 0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated() - before)


def graphed(work: Work) -> Work:
    """The work as a CUDA graph, made at the first call: a replay costs the device's time alone. On a CPU the work."""
    replays: list[Work] = []

    def replay() -> None:
        if not replays:
            work()  # compiles
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                work()
            replays.append(graph.replay)
        replays[0]()

    return replay if torch.cuda.is_available() else work
