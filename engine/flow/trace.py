"""Spans of a run: written as they end, one JSON line each, and gathered into a Chrome trace that Perfetto opens.

Spans of one track never overlap: each takes the lowest free lane of its category, so lanes show concurrency. Lane 0 is
for stretches: many spans merged into one, with their number and how many were open at once.
"""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from reasonmill.engine.store.aside import named, whole_file

OVERLAPPING = ("generate", "verify", "train")  # the stages whose overlap makes a run a stream
_HELD = 512  # spans between two writes: 60 kB
_PROCESS_IDS = {"curate": 1, "generate": 2, "verify": 3, "pack": 4, "train": 5, "evaluate": 6}


class SpanLog:
    """Appends finished spans to a file; a run that is killed keeps all but the last moment's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO = path.open("ab", buffering=0)
        self._held: list[tuple[str, str, int, float, float, Any]] = []
        self._free: dict[str, list[int]] = {}
        self._lanes: dict[str, int] = {}

    def take_lane(self, category: str) -> int:
        """Lowest free lane of a category."""
        free = self._free.setdefault(category, [])
        if free:
            return heapq.heappop(free)
        self._lanes[category] = self._lanes.get(category, 0) + 1
        return self._lanes[category]

    def give_lane(self, category: str, lane: int) -> None:
        """Return a lane."""
        heapq.heappush(self._free[category], lane)

    def write(self, category: str, name: str, lane: int, start_unix_s: float, duration_s: float, args: Any) -> None:
        """Append one span; it is in the file after the next flush, or once _HELD of them wait."""
        self._held.append((category, name, lane, start_unix_s, duration_s, args))
        if len(self._held) >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Hand what was written to the kernel."""
        lines = b"".join(orjson.dumps(span, option=orjson.OPT_APPEND_NEWLINE) for span in self._held)
        self._held.clear()
        with named(self._path):
            self._stream.write(lines)

    def close(self) -> None:
        """Close the file."""
        try:
            self.flush()
        finally:
            self._stream.close()


def read_spans(path: Path) -> Iterator[tuple[str, str, int, float, float, Any]]:
    """Spans of a log in the order in which they ended; a torn last line is left out."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                category, name, lane, start, duration, args = orjson.loads(line)
            except (orjson.JSONDecodeError, ValueError):
                continue
            yield category, name, lane, start, duration, args


def training_spans(metrics: Path) -> Iterator[tuple[str, str, int, float, float, Any]]:
    """One span for each step in the trainer's metrics.jsonl."""
    if not metrics.exists():
        return
    with metrics.open("rb") as stream:
        for line in stream:
            try:
                step = orjson.loads(line)
                start, end = float(step["start_unix_s"]), float(step["end_unix_s"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            wait = float(step.get("data_wait_s") or 0.0)  # a step that waits for data does not train
            args = {"loss": step.get("loss"), "num_tokens": step.get("num_tokens")}
            yield "train", f"step {step.get('step')}", 1, start + wait, max(end - start - wait, 0.0), args


def write_trace(
    path: Path, spans: Iterable[tuple[str, str, int, float, float, Any]]
) -> dict[str, list[tuple[float, float]]]:
    """Write a Chrome trace aside and rename it; returns the busy intervals (start, end in s) of each category."""
    busy: dict[str, list[tuple[float, float]]] = {}
    with whole_file(path) as stream:
        stream.write(b'{"displayTimeUnit":"ms","traceEvents":[')
        events = [
            orjson.dumps({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": category}})
            for category, pid in _PROCESS_IDS.items()
        ]
        stream.write(b",\n".join(events))
        for category, name, lane, start, duration, args in spans:
            event = {
                "ph": "X",
                "cat": category,
                "name": name,
                "pid": _PROCESS_IDS.get(category, 9),
                "tid": lane,
                "ts": round(start * 1e6, 1),
                "dur": round(duration * 1e6, 1),
                "args": args or {},
            }
            stream.write(b",\n" + orjson.dumps(event))
            busy.setdefault(category, []).append((start, start + duration))
        stream.write(b"]}\n")
    return busy


def union_length(intervals: Iterable[tuple[float, float]]) -> float:
    """Length in s of the union of intervals."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(intervals):
        if end > reach:
            total += end - max(start, reach)
            reach = end
    return total


def overlap_ratio(busy: dict[str, list[tuple[float, float]]]) -> float | None:
    """Mean number of generation, verification and training that are at work while any of them is: 1 is one after
    another, 3 is all at once; None where none of them ran.
    """
    chosen = [busy.get(category, []) for category in OVERLAPPING]
    together = union_length(interval for intervals in chosen for interval in intervals)
    return sum(union_length(intervals) for intervals in chosen) / together if together > 0 else None
