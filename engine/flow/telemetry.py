"""What a run says of itself while it runs: counters, spans, busy times of stages, waits of channels."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.trace import SpanLog


class _Meter:
    """Wall time during which at least one piece of a stage's work was under way."""

    def __init__(self) -> None:
        self.active = 0
        self.items = 0
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


class Telemetry:
    """Figures of one process of a run; `metrics.jsonl` gets a line at every `tick`."""

    def __init__(self, run_folder: Path) -> None:
        logs = run_folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._spans = SpanLog(logs / "spans.jsonl")
        self._metrics = (run_folder / "metrics.jsonl").open("ab", buffering=0)
        self._meters: dict[str, _Meter] = {}
        self._channels: list[Channel[Any]] = []
        self.counters: Counter[str] = Counter()
        self.started_unix_s = time.time()

    def watch(self, channel: Channel[Any]) -> None:
        """Report the waits of a channel."""
        self._channels.append(channel)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] += amount

    @contextmanager
    def work(self, category: str, name: str, **args: Any) -> Iterator[None]:
        """Time one piece of a stage's work and write its span."""
        meter = self._meters.setdefault(category, _Meter())
        lane = self._spans.take_lane(category)
        started_unix_s, started = time.time(), time.perf_counter()
        meter.enter(started)
        try:
            yield
        finally:
            ended = time.perf_counter()
            meter.leave(ended)
            self._spans.give_lane(category, lane)
            self._spans.write(category, name, lane, started_unix_s, ended - started, args)

    def active(self, category: str) -> int:
        """Pieces of a stage's work that are under way."""
        meter = self._meters.get(category)
        return meter.active if meter else 0

    def tick(self) -> None:
        """Write counters and channels of this moment."""
        self._spans.flush()
        line = {
            "unix_s": time.time(),
            "counters": dict(self.counters),
            "channels": {c.name: self._channel(c) for c in self._channels},
        }
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
        """Write what is left."""
        self.tick()
        self._spans.close()
        self._metrics.close()

    @staticmethod
    def _channel(channel: Channel[Any]) -> dict[str, float]:
        figures = channel.figures()
        return {
            "size": figures.size,
            "items": figures.items,
            "blocked_s": figures.blocked_s,
            "starved_s": figures.starved_s,
        }
