"""Rates of a run that was made, from its journal: lengths, pass rates, speed and checks, by teacher and category. What
too few answers show stays assumed.
"""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.flow.trace import read_spans, union_length
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.simulation.profiles import PassRate, Quantile, length_quantiles, pass_rates
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.speed import speed
from reasonmill.engine.store.journal import open_for_reading

FEW = 20  # right answers, or pairs, below which a category's figures stay assumed
REFINED = 3  # times that the grid is searched, each time ten times finer around the best point
_MEANS = np.linspace(-6.0, 8.0, 29)
_SPREADS = np.geomspace(0.05, 8.0, 20)


@dataclass(frozen=True, kw_only=True, slots=True)
class SortedQuantile:
    """Lengths as they were measured."""

    lengths: tuple[float, ...]

    def __call__(self, share: float, /) -> float:
        """Length at `share`, between two measured ones."""
        place = share * (len(self.lengths) - 1)
        low = int(place)
        high = min(low + 1, len(self.lengths) - 1)
        return self.lengths[low] + (place - low) * (self.lengths[high] - self.lengths[low])


@dataclass(frozen=True, kw_only=True)
class MeasuredTeacher:
    """What a run shows of one teacher."""

    lengths: Mapping[str, Quantile]  # of accepted answers
    wrong_lengths: Mapping[str, Quantile]
    rates: Mapping[str, PassRate]
    tokens_per_s: float  # of one request
    mean_open: float  # requests at once, while any was open
    prompt_tokens: float
    mean_context: float  # of a request, over its time


@dataclass(frozen=True, slots=True)
class _Row:
    ordinal: int
    category: str
    outcome: str | None
    finish_reason: str
    prompt_tokens: int
    tokens: int
    duration_s: float
    verify_s: float | None


def measured_checks(run: Path, plan: PlanSettings) -> PlanSettings:
    """The plan's settings with the seconds that the run's checks took."""
    connection = _open(run)
    try:
        rows = connection.execute(
            "SELECT CAST(json_extract(CAST(record AS TEXT), '$.category') AS TEXT), avg(verify_s) FROM attempts"
            " JOIN queries USING (ordinal) WHERE outcome IN ('pass', 'fail') GROUP BY 1"
        ).fetchall()
    finally:
        connection.close()
    return replace(plan, verify_s=plan.verify_s | {str(category): float(seconds) for category, seconds in rows})


def measured_teacher(run: Path, teacher: str, assumed: SimulationSettings, *, busy_s: float) -> MeasuredTeacher | None:
    """What the run shows of a teacher that was at work for `busy_s` seconds; None where it answered nothing."""
    rows = _rows(run, teacher)
    answered = [row for row in rows if row.tokens > 0 and row.duration_s > 0.0]
    if not answered:
        return None
    tokens, seconds = sum(row.tokens for row in answered), sum(row.duration_s for row in answered)
    prompt = sum(row.prompt_tokens for row in answered) / len(answered)
    return MeasuredTeacher(
        lengths=dict(length_quantiles(assumed.lengths)) | _lengths(answered, "pass"),
        wrong_lengths=_lengths(answered, "fail"),
        rates=dict(pass_rates(assumed)) | _rates(rows),
        tokens_per_s=tokens / seconds,
        mean_open=max(1.0, seconds / busy_s) if busy_s > 0.0 else 1.0,
        prompt_tokens=prompt,
        mean_context=prompt + sum(row.tokens**2 for row in answered) / (2.0 * tokens),
    )


def as_fast_as(measured: MeasuredTeacher, assumed: SimulationSettings) -> SimulationSettings:
    """The assumed teacher at the measured speed: its curve over batch and context, scaled to the point measured."""
    costs = speed(assumed.speed)
    running = max(1.0, measured.mean_open / assumed.replicas)
    step_s = costs.fixed + costs.request * running + (costs.token * running + costs.context) * measured.mean_context
    return replace(assumed, speed_up=min(max(step_s * measured.tokens_per_s, 1e-6), 1e6), length_scale=1.0)


def teacher_busy_s(run: Path, teacher: str) -> float:
    """Seconds during which the teacher had at least one question open."""
    spans = [
        (start, start + duration)
        for stage, name, _, start, duration, _ in read_spans(run / "logs" / "spans.jsonl")
        if stage == "generate" and name == teacher
    ]
    return union_length(spans)


def _open(run: Path) -> sqlite3.Connection:
    path = run / "journal.sqlite"
    if not path.is_file():
        raise ValueError(f"{str(run)!r} is no folder of a run: it has no journal")
    return open_for_reading(path)


def _rows(run: Path, teacher: str) -> list[_Row]:
    connection = _open(run)
    try:
        found = connection.execute(
            "SELECT ordinal, CAST(json_extract(CAST(record AS TEXT), '$.category') AS TEXT), outcome, finish_reason,"
            " prompt_tokens, completion_tokens, duration_s, verify_s FROM attempts JOIN queries USING (ordinal)"
            " WHERE teacher = ? ORDER BY ordinal, number",
            (teacher,),
        )
        return [_Row(*row) for row in found]
    finally:
        connection.close()


def _lengths(rows: Iterable[_Row], outcome: str) -> dict[str, Quantile]:
    by_category: dict[str, list[float]] = {}
    for row in rows:
        if row.outcome == outcome:
            by_category.setdefault(row.category, []).append(float(row.tokens))
    return {
        category: SortedQuantile(lengths=tuple(sorted(lengths)))
        for category, lengths in by_category.items()
        if len(lengths) >= FEW
    }


def _rates(rows: Iterable[_Row]) -> dict[str, PassRate]:
    pairs: dict[str, dict[int, list[bool]]] = {}
    for row in rows:
        if row.outcome in ("pass", "fail"):
            pairs.setdefault(row.category, {}).setdefault(row.ordinal, []).append(row.outcome == "pass")
    return {category: fit(list(of.values())) for category, of in pairs.items() if len(of) >= FEW}


def fit(tried: Sequence[Sequence[bool]]) -> PassRate:
    """The pass rate under which these series of right and wrong attempts, one a query, are likeliest."""
    counts: dict[tuple[int, int], int] = {}
    for attempts in tried:
        right = sum(attempts)
        key = (right, len(attempts) - right)
        counts[key] = counts.get(key, 0) + 1
    means, spreads = _MEANS, _SPREADS
    for _ in range(REFINED):
        mean, spread = _likeliest(counts, means, spreads)
        step, factor = means[1] - means[0], spreads[1] / spreads[0]
        means = np.linspace(mean - step, mean + step, 21)
        spreads = np.geomspace(spread / factor, spread * factor, 21)
    return PassRate(mean=mean, spread=spread)


def _likeliest(counts: Mapping[tuple[int, int], int], means: "_Grid", spreads: "_Grid") -> tuple[float, float]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    best, found = -math.inf, (0.0, 1.0)
    for spread in spreads:
        chance = _phi(means[:, None] + spread * nodes[None, :])
        likelihood = np.zeros(len(means))
        for (right, wrong), number in counts.items():
            probability = (chance**right * (1.0 - chance) ** wrong) @ (weights / weights.sum())
            likelihood += number * np.log(np.maximum(probability, 1e-300))
        place = int(np.argmax(likelihood))
        if likelihood[place] > best:
            best, found = float(likelihood[place]), (float(means[place]), float(spread))
    return found


_Grid = NDArray[np.float64]


def _phi(values: _Grid) -> _Grid:
    return np.asarray(0.5 * (1.0 + _erf(values / math.sqrt(2.0))), dtype=np.float64)


_erf = np.vectorize(math.erf, otypes=[np.float64])
