"""What set the pace: stages at work side by side, busy, starved and blocked, and rates over time."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from reasonmill.engine.report import numbers
from reasonmill.engine.report.bar_charts import stage_bars
from reasonmill.engine.report.curve_charts import Curve, curves, strips
from reasonmill.engine.report.html import Child, Markup, card, grid, missing, section, table, tag
from reasonmill.engine.report.palette import STAGES, stage_title
from reasonmill.engine.report.run_figures import RunFigures

_ADVICE = {
    "generate": "More or faster teachers (max_num_seqs, replicas, GPUs) would shorten the run.",
    "verify": "More verifier workers would shorten the run.",
    "train": "A faster trainer (more ranks, larger batches) would shorten the run.",
    "curate": "More curation threads would shorten the run.",
    "pack": "Packing should never be the slowest stage; look at the disk.",
    "evaluate": "Fewer samples per question would shorten the run.",
}


def pace(run: RunFigures) -> Markup:
    """The section on the flow of the run."""
    return section(
        "pace", "What set the pace", _timeline(run), _stages(run), grid(_rates(run), _waiting(run)), lead=_sentence(run)
    )


def _sentence(run: RunFigures) -> str | None:
    name = run.fact("bottleneck")
    if not isinstance(name, str) or not name:
        return None
    stage = next((s for s in _rows(run) if s.get("name") == name), {})
    busy = numbers.share(stage.get("busy_s"), run.files.wall_s, 0)
    text = f"The bottleneck is {stage_title(name)}"
    text += f", at work for {busy} of the run. " if busy != numbers.DASH else ". "
    return text + _ADVICE.get(name, "")


def _rows(run: RunFigures) -> list[Mapping[str, Any]]:
    stages = run.files.summary.get("stages")
    return [s for s in stages if isinstance(s, dict) and s.get("name")] if isinstance(stages, list) else []


def _timeline(run: RunFigures) -> Markup:
    if run.timeline is None:
        return missing("There is no timeline: trace.json is written at the end of a run.")
    bands = STAGES | {c: (c, "neutral") for c in sorted(run.timeline.open_spans) if c not in STAGES}
    ratio = run.number("overlap_ratio")
    note = (
        "Height: how many pieces of work were under way at once. The whole trace is in trace.json; Perfetto opens it."
    )
    if ratio is not None:
        note = f"Overlap {ratio:.2f}: the mean number of generation, verification and training at work at once. " + note
    return card(
        "Stages at work, side by side", strips(run.timeline, bands, "timeline of the stages"), note=note, wide=True
    )


def _stages(run: RunFigures) -> Markup:
    rows = _rows(run)
    if not rows:
        return missing("Busy, starved and blocked times are in the summary, which is written at the end of a run.")
    whole = run.files.wall_s or 0.0
    bottleneck = str(run.fact("bottleneck") or "")
    parts = [
        (stage_title(str(s["name"])), {key: _seconds(s, f"{key}_s") for key in ("busy", "starved", "blocked")})
        for s in rows
    ]
    cells: list[list[Child]] = [
        [
            tag("strong", stage_title(bottleneck), " ← bottleneck")
            if s["name"] == bottleneck
            else stage_title(str(s["name"])),
            numbers.duration(s.get("busy_s")),
            numbers.share(s.get("busy_s"), whole),
            numbers.duration(s.get("starved_s")),
            numbers.duration(s.get("blocked_s")),
            numbers.count(s.get("items")),
        ]
        for s in rows
    ]
    mark = next((index for index, s in enumerate(rows) if s["name"] == bottleneck), -1)
    return card(
        "Busy, starved, blocked",
        stage_bars(parts, whole, stage_title(bottleneck), "busy, starved and blocked time of each stage"),
        table(["stage", "busy", "of the run", "starved", "blocked", "items"], cells, mark=mark),
        note="Busy: some of its work is under way. Starved: waiting for input. Blocked: waiting for room behind it.",
        wide=True,
    )


def _seconds(stage: Mapping[str, Any], key: str) -> float:
    value = stage.get(key)
    return float(value) if isinstance(value, int | float) and numbers.is_number(value) else 0.0


def _rates(run: RunFigures) -> Markup | None:
    rows = []
    for key, name, class_ in (("generated_tokens", "generated", "t0"), ("accepted_tokens", "accepted", "t2")):
        xs, ys = rates(run.files.ticks, key)
        if xs:
            rows.append(Curve(name, class_, xs, ys))
    if not rows:
        return None
    chart = curves(rows, "tokens per second over time", axis="time", from_zero=True, write_x=numbers.clock)
    return card("Tokens per second over time", chart, note="Goodput is the accepted part.")


def rates(ticks: list[dict[str, Any]], key: str, *, num_points: int = 120) -> tuple[list[float], list[float]]:
    """Increase of a counter per second over up to `num_points` spans of time; a counter that restarts counts from 0."""
    points = [
        (float(t["unix_s"]), float(t["counters"].get(key, 0.0)))
        for t in ticks
        if isinstance(t.get("counters"), dict) and numbers.is_number(t["counters"].get(key, 0.0))
    ]
    if not any(value for _, value in points):
        return [], []
    if len(points) < 2:
        return [], []
    stride = max(len(points) // num_points, 1)
    chosen = points[::stride]
    start = points[0][0]
    xs, ys = [], []
    for (before_s, before), (after_s, after) in pairwise(chosen):
        if after_s > before_s:
            xs.append((before_s + after_s) / 2 - start)
            ys.append((after - before if after >= before else after) / (after_s - before_s))
    return xs, ys


def _waiting(run: RunFigures) -> Markup | None:
    ticks = run.files.ticks
    names = sorted({name for t in ticks if isinstance(t.get("channels"), dict) for name in t["channels"]})
    rows = []
    for index, name in enumerate(names[:6]):
        points = [
            (float(t["unix_s"]) - float(ticks[0]["unix_s"]), float(t["channels"][name]["size"]))
            for t in ticks
            if isinstance(t.get("channels"), dict)
            and isinstance(t["channels"].get(name), dict)
            and numbers.is_number(t["channels"][name].get("size"))
        ]
        if len(points) > 1:
            rows.append(Curve(name, f"t{index}", [x for x, _ in points], [y for _, y in points]))
    if not rows:
        return None
    chart = curves(rows, "items in channels over time", axis="time", from_zero=True, write_x=numbers.clock)
    note = None if len(rows) > 1 else f"Channel {rows[0].name}."
    return card("Items waiting between stages", chart, note=note)
