"""The small files of a run, read once. What is absent or broken is empty here and named in `missing`, never a crash."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson


@dataclass(kw_only=True)
class RunFiles:
    """What a run has written so far."""

    run_dir: Path
    summary: dict[str, Any] = field(default_factory=dict)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)  # one dict for each training step
    ticks: list[dict[str, Any]] = field(default_factory=list)  # lines of metrics.jsonl, thinned
    recipe_text: str = ""
    missing: list[str] = field(default_factory=list)  # sentences

    @property
    def state(self) -> str:
        """`finished`, `stopped`, `failed`, `running`, or `unknown` where there is no summary."""
        state = self.summary.get("state")
        return state if isinstance(state, str) else "unknown"

    @property
    def name(self) -> str:
        """The run's name, else its folder's."""
        return str(self.summary.get("run") or self.run_dir.resolve().name)

    @property
    def wall_s(self) -> float | None:
        """Seconds at work, else from start to end, or to the last line of metrics."""
        whole = self.summary.get("wall_s")
        if isinstance(whole, int | float) and not isinstance(whole, bool):
            return float(whole)
        start, end = self.summary.get("started_unix_s"), self.summary.get("ended_unix_s")
        if end is None and self.ticks:
            end = self.ticks[-1].get("unix_s")
        if start is None and self.ticks:
            start = self.ticks[0].get("unix_s")
        return float(end) - float(start) if isinstance(start, int | float) and isinstance(end, int | float) else None


MAX_TICKS = 2000  # more points than a screen has columns say nothing


def read_run(run_dir: Path) -> RunFiles:
    """Files of a run directory. Raises ValueError where there is no such folder."""
    if not run_dir.is_dir():
        raise ValueError(f"{str(run_dir)!r} is not a run directory")
    files = RunFiles(run_dir=run_dir)
    summary = _object(files, "summary.json", "it is written at the end of a run; figures here come from the journal.")
    files.summary = summary or {}
    evaluation = _object(files, "evaluation.json", "no model has been evaluated.")
    results = (evaluation or {}).get("results")
    files.evaluations = [r for r in results if isinstance(r, dict)] if isinstance(results, list) else []
    files.steps = _distinct_steps(read_json_lines(run_dir / "train" / "metrics.jsonl"))
    if not files.steps:
        files.missing.append("train/metrics.jsonl: no training step has been made.")
    files.ticks = _thinned(read_json_lines(run_dir / "metrics.jsonl"))
    if not files.ticks:
        files.missing.append("metrics.jsonl: there are no figures over time.")
    try:
        files.recipe_text = (run_dir / "recipe.resolved.yaml").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        files.missing.append(f"recipe.resolved.yaml: {error.strerror}.")
    return files


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON lines file; a torn or foreign line is left out, an absent file has none."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for line in stream:
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(value, dict):
                yield value


def _object(files: RunFiles, name: str, absent: str) -> dict[str, Any] | None:
    path = files.run_dir / name
    if not path.is_file():
        files.missing.append(f"{name}: {absent}")
        return None
    try:
        value = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        files.missing.append(f"{name}: cannot be read ({error}).")
        return None
    if not isinstance(value, dict):
        files.missing.append(f"{name}: holds {type(value).__name__}, expected an object.")
        return None
    return value


def _distinct_steps(lines: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps in order; one that a resumed trainer made again counts as it was made last."""
    steps = {line["step"]: line for line in lines if isinstance(line.get("step"), int)}
    return [steps[number] for number in sorted(steps)]


def _thinned(lines: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most twice MAX_TICKS lines, evenly chosen, the last always among them."""
    kept: list[dict[str, Any]] = []
    stride, last = 1, None
    for number, line in enumerate(line for line in lines if isinstance(line.get("unix_s"), int | float)):
        last = line
        if number % stride == 0:
            kept.append(line)
            if len(kept) > 2 * MAX_TICKS:
                kept, stride = kept[::2], 2 * stride
    if last is not None and kept[-1] is not last:
        kept.append(last)
    return kept
