"""What a run says of itself while it runs: counters, spans, busy times of stages, waits of channels. What is kept, in
memory and on disk, does not grow with the number of items: past MAX_SPANS of a stage, spans merge into stretches.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.trace import SpanLog
from reasonmill.engine.store.aside import named

MAX_SPANS = 50_000  # of one stage that are written one by one: 6 MB, and what a trace viewer still opens at once
SAME_STRETCH_S = 0.01  # idle time of a stage that does not end a stretch


class _Stretch:
    """A time through which a stage was at work without a break, its spans merged into one."""

    def __init__(self, now: float) -> None:
        self.start = self.end = self._since = now
        self.items = 0
        self._open_s = 0.0  # number of open spans, integrated over time

    def pass_time(self, now: float, active: int) -> None:
        self._open_s += (now - self._since) * active
        self._since = now
        if active:
            self.end = now

    def mean_open(self) -> float:
        length = self.end - self.start
        return self._open_s / length if length > 0 else 1.0


class _Meter:
    """Wall time during which at least one piece of a stage's work was under way."""

    def __init__(self) -> None:
        self.active = 0
        self.items = 0
        self.stretch: _Stretch | None = None  # once the stage has MAX_SPANS
        self._since = 0.0
        self._busy_s = 0.0

    def enter(self, now: float) -> None:
        if self.active == 0:
            self._since = now
        self.active += 1

    def leave(self, now: float) -> None:
        self.active -= 1
        self.items += 1
        if self.active == 0:
            self._busy_s += now - self._since

    def busy_s(self, now: float) -> float:
        return self._busy_s + (now - self._since if self.active else 0.0)


class _Work:
    """The block of one piece of work; a class, since a generator would cost three times as much twice an attempt."""

    __slots__ = ("_args", "_category", "_lane", "_name", "_started", "_telemetry")

    def __init__(self, telemetry: "Telemetry", category: str, name: str, args: dict[str, Any]) -> None:
        self._telemetry = telemetry
        self._category = category
        self._name = name
        self._args = args

    def __enter__(self) -> None:
        self._started, self._lane = self._telemetry._begin(self._category)

    def __exit__(self, *_: object) -> None:
        self._telemetry._end(self._category, self._name, self._started, self._lane, self._args)


class Telemetry:
    """Figures of one process of a run; `metrics.jsonl` gets a line at every `tick`."""

    def __init__(self, run_folder: Path, *, max_spans: int = MAX_SPANS) -> None:
        logs = run_folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._spans = SpanLog(logs / "spans.jsonl")
        self._metrics_path = run_folder / "metrics.jsonl"
        self._metrics = self._metrics_path.open("ab", buffering=0)
        self._meters: dict[str, _Meter] = {}
        self._channels: list[Channel[Any]] = []
        self._max_spans = max_spans
        self.counters: Counter[str] = Counter()
        self.waiting_for = ""  # what keeps the run from asking, for people to read
        self.started_unix_s = time.time()
        self._unix_offset_s = self.started_unix_s - time.perf_counter()

    def watch(self, channel: Channel[Any]) -> None:
        """Report the waits of a channel."""
        self._channels.append(channel)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] += amount

    def work(self, category: str, name: str, **args: Any) -> "_Work":
        """Time one piece of a stage's work, the block of a `with`, and write its span."""
        return _Work(self, category, name, args)

    def _begin(self, category: str) -> tuple[float, int]:
        """A piece of work begins: when, and the lane of its span; 0 where it becomes a part of the stage's stretch."""
        meter = self._meters.get(category)
        if meter is None:
            meter = self._meters[category] = _Meter()
        lane = 0 if meter.items >= self._max_spans else self._spans.take_lane(category)
        started = time.perf_counter()
        if not lane:
            stretch = meter.stretch
            if stretch is None:
                stretch = meter.stretch = _Stretch(started)
            elif meter.active == 0 and started - stretch.end > SAME_STRETCH_S:
                self._end_stretch(category, meter)
                stretch = meter.stretch = _Stretch(started)
            stretch.pass_time(started, meter.active)
        meter.enter(started)
        return started, lane

    def _end(self, category: str, name: str, started: float, lane: int, args: dict[str, Any]) -> None:
        """A piece of work ends, however it did."""
        ended, meter = time.perf_counter(), self._meters[category]
        if lane:
            meter.leave(ended)
            self._spans.give_lane(category, lane)
            self._spans.write(category, name, lane, started + self._unix_offset_s, ended - started, args)
            return
        assert meter.stretch is not None, "a stretch is replaced, never dropped, while its stage is at work"
        meter.stretch.pass_time(ended, meter.active)
        meter.stretch.items += 1
        meter.leave(ended)

    def _end_stretch(self, category: str, meter: _Meter) -> None:
        """Write a stage's stretch; the next one begins here while the stage is at work."""
        now, stretch = time.perf_counter(), meter.stretch
        if stretch is None:
            return
        stretch.pass_time(now, meter.active)
        if stretch.end > stretch.start:
            args = {"spans": stretch.items, "open": round(stretch.mean_open(), 2)}
            start = stretch.start + self._unix_offset_s
            self._spans.write(category, "many", 0, start, stretch.end - stretch.start, args)
        meter.stretch = _Stretch(now) if meter.active else None

    def active(self, category: str) -> int:
        """Pieces of a stage's work that are under way."""
        meter = self._meters.get(category)
        return meter.active if meter else 0

    def tick(self) -> None:
        """Write counters and channels of this moment. Raises OSError that names the file."""
        for category, meter in self._meters.items():
            self._end_stretch(category, meter)
        self._spans.flush()
        line = {
            "unix_s": time.time(),
            "session_unix_s": self.started_unix_s,
            "counters": dict(self.counters),
            "channels": {c.name: self._channel(c) for c in self._channels},
        }
        with named(self._metrics_path):
            self._metrics.write(orjson.dumps(line) + b"\n")

    def channels(self) -> dict[str, dict[str, float]]:
        """Size, items and waits of each watched channel."""
        return {c.name: self._channel(c) for c in self._channels}

    def stages(self) -> list[dict[str, Any]]:
        """Busy time and items of each stage of this process."""
        now = time.perf_counter()
        return [
            {"name": name, "busy_s": meter.busy_s(now), "items": meter.items} for name, meter in self._meters.items()
        ]

    def close(self) -> None:
        """Write what is left. Raises OSError that names the file, and has closed both files then too."""
        try:
            self.tick()
        finally:
            self._metrics.close()
            self._spans.close()

    @staticmethod
    def _channel(channel: Channel[Any]) -> dict[str, float]:
        figures = channel.figures()
        return {
            "size": figures.size,
            "items": figures.items,
            "blocked_s": figures.blocked_s,
            "starved_s": figures.starved_s,
        }
