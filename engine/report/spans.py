"""What was at work when: the run's trace in a few hundred intervals, in memory that does not grow with the trace."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

NUM_INTERVALS = 360
_OPENING = b'"traceEvents":['


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """Mean number of spans open in each interval, by category; times in s on the trace's clock."""

    start_s: float
    end_s: float
    open_spans: dict[str, NDArray[np.float64]]
    num_spans: dict[str, int]


def read_timeline(path: Path, *, num_intervals: int = NUM_INTERVALS) -> Timeline | None:
    """Timeline of a Chrome trace; None where it holds no span. Raises ValueError for a file that is no trace."""
    first, last = float("inf"), float("-inf")
    for _, start, end, _ in read_spans(path):
        first, last = min(first, start), max(last, end)
    if not last > first:
        return None
    width = (last - first) / num_intervals
    open_spans: dict[str, NDArray[np.float64]] = {}
    num_spans: dict[str, int] = {}
    for category, start, end, args in read_spans(path):
        covered = open_spans.setdefault(category, np.zeros(num_intervals))
        num_spans[category] = num_spans.get(category, 0) + int(args.get("spans", 1))
        _cover(covered, (start - first) / width, (end - first) / width, float(args.get("open", 1.0)))
    return Timeline(start_s=first, end_s=last, open_spans=open_spans, num_spans=num_spans)


def _cover(covered: NDArray[np.float64], start: float, end: float, weight: float) -> None:
    """Add the span [start, end], in intervals, to the intervals it covers, in part or whole."""
    low, high = int(start), min(int(end), len(covered) - 1)
    if low >= high:
        covered[min(low, len(covered) - 1)] += weight * (end - start)
        return
    covered[low] += weight * (low + 1 - start)
    covered[low + 1 : high] += weight
    covered[high] += weight * (end - high)


def read_spans(path: Path) -> Iterator[tuple[str, float, float, dict[str, Any]]]:
    """(category, start, end, args) of each complete event, times in s; a stretch of merged spans has their number and
    how many were open in its args. Raises ValueError for a file that is no Chrome trace.
    """
    for event in _events(path):
        if event.get("ph") == "X":
            try:
                start, length = float(event["ts"]) / 1e6, float(event["dur"]) / 1e6
            except (KeyError, TypeError, ValueError):
                continue
            yield str(event.get("cat", "")), start, start + max(length, 0.0), event.get("args") or {}


def _events(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a trace that has one on a line, as ours has; any other form is read as a whole."""
    with path.open("rb") as stream:
        head = stream.readline()
        opening = head.find(_OPENING)
        if opening >= 0 and head.rstrip().endswith(b","):
            yield from _event(head[opening + len(_OPENING) :])
            for line in stream:
                yield from _event(line)
            return
    try:
        trace = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{path.name} is not a Chrome trace: {error}") from None
    events = trace.get("traceEvents") if isinstance(trace, dict) else trace
    if not isinstance(events, list):
        raise ValueError(f"{path.name} is not a Chrome trace: it has no traceEvents")
    yield from (event for event in events if isinstance(event, dict))


def _event(line: bytes) -> Iterator[dict[str, Any]]:
    text = line.strip().removesuffix(b",")
    for candidate in (text, text.removesuffix(b"]}")):
        try:
            value = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            yield value
        return
