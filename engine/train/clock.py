"""Where the time of a step goes: making batches, forward, backward, optimizer, and collectives among them.

On a CPU collectives block, so the parts exclude them and add up. On a GPU the parts are times of the device between
events, and `communication` is how long its streams stood before collectives, which may lie within other parts' time.
"""

import time
from collections.abc import Callable
from typing import Any

import torch

PARTS = ("data", "forward", "backward", "optimizer")
_CLOCK = "reasonmill_clock"  # attribute of a backend that is timed
# Methods of DeepSpeed's backend that move tensors; all take `async_op`.
_COLLECTIVES = (
    *("all_reduce", "reduce", "reduce_scatter", "reduce_scatter_tensor", "broadcast", "all_gather"),
    *("all_gather_into_tensor", "all_gather_coalesced", "all_to_all_single", "barrier"),
)


class StepClock:
    """Times one step at a time: `begin()`, then `lap(part)` at the end of each part, then `read()`."""

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"
        self._laps: list[tuple[str, Any, int]] = []  # part, moment of its end, collectives so far
        self._waits: list[tuple[Any, Any]] = []  # moments before and after each collective
        self._begun: Any = None

    def now(self) -> Any:
        """A moment: seconds, or an event on the current stream."""
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def begin(self) -> None:
        """Forget the last step."""
        self._laps, self._waits = [], []
        self._begun = self.now()

    def lap(self, part: str) -> None:
        """What passed since the last lap was `part`."""
        self._laps.append((part, self.now(), len(self._waits)))

    def waited(self, before: Any) -> None:
        """A collective was waited for since `before`."""
        self._waits.append((before, self.now()))

    def read(self) -> tuple[dict[str, float], list[float]]:
        """Seconds of each part and of `communication`; and the seconds of communication in each micro-step, a forward
        and what follows it. Waits for the device.
        """
        if self._on_gpu:
            torch.cuda.synchronize()
        seconds = dict.fromkeys((*PARTS, "communication"), 0.0)
        waits: list[float] = []
        start, first = self._begun, 0
        for part, end, last in self._laps:
            waited = sum(self._between(*wait) for wait in self._waits[first:last])
            seconds[part] += self._between(start, end) - (0.0 if self._on_gpu else waited)
            seconds["communication"] += waited
            if part == "forward":
                waits.append(0.0)
            if waits:
                waits[-1] += waited
            start, first = end, last
        return seconds, waits

    def _between(self, start: Any, end: Any) -> float:
        return float(start.elapsed_time(end)) / 1000.0 if self._on_gpu else float(end - start)


def time_collectives(backend: Any, clock: StepClock) -> None:
    """Have every collective of a DeepSpeed backend tell the clock how long it was waited for; the last clock counts."""
    known = hasattr(backend, _CLOCK)
    setattr(backend, _CLOCK, clock)
    for name in () if known else _COLLECTIVES:
        setattr(backend, name, _timed(getattr(backend, name), backend))


def _timed(collective: Callable[..., Any], backend: Any) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        clock: StepClock = getattr(backend, _CLOCK)
        before = clock.now()
        handle = collective(*arguments, **options)
        clock.waited(before)
        return handle if handle is None else _Handle(handle, clock)

    return timed


class _Handle:
    """A collective that is under way."""

    def __init__(self, handle: Any, clock: StepClock) -> None:
        self._handle = handle
        self._clock = clock

    def wait(self, *arguments: Any) -> Any:
        """Wait for it, and tell the clock."""
        before = self._clock.now()
        done = self._handle.wait(*arguments)
        self._clock.waited(before)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


def lockstep_wait(waits_of_ranks: list[list[float]], step_s: float) -> float:
    """Share of a step that the mean rank stood waiting for the slowest: what it spent in the collectives of each
    micro-step beyond the rank that spent least there, which waits for nobody.
    """
    if step_s <= 0.0 or not waits_of_ranks:
        return 0.0
    lost = 0.0
    for waits in zip(*waits_of_ranks, strict=True):
        lost += sum(waits) / len(waits) - min(waits)
    return lost / step_s
