"""The results as tables in the form of arXiv 2505.14464 Tables 1 and 2: a row a benchmark, a column a model; and, for
several rounds, those of arXiv 2503.19855.
"""

from collections.abc import Callable, Sequence
from typing import Any

from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.trajectories import Trajectory
from reasonmill.engine.quality.marker_words import WORDS

DASH = "–"


def tables(results: Sequence[EvaluationResult]) -> dict[str, Any]:
    """Scores and mean lengths by benchmark and model; the means are over the benchmarks that a model has all of."""
    return {
        "pass_at_1": _by_benchmark(results, lambda r: r.pass_at_1),
        "mean_completion_tokens": _by_benchmark(results, lambda r: r.mean_completion_tokens),
    }


def markdown(results: Sequence[EvaluationResult], changes: Sequence[Trajectory] = ()) -> str:
    """All tables as one text."""
    parts = [
        _crossed("pass@1 (%)", results, lambda r: r.pass_at_1, lambda value: f"{100 * value:.1f}"),
        _crossed("Mean generation tokens", results, lambda r: r.mean_completion_tokens, lambda value: f"{value:.1f}"),
        _details(results),
    ]
    if changes:
        parts += [_changes(changes), _words(changes)]
    return "\n".join(parts)


def column(result: EvaluationResult) -> str:
    """A model's name in tables: with the round, from the second on."""
    return result.name if result.round == 1 else f"{result.name}, round {result.round}"


def _by_benchmark(
    results: Sequence[EvaluationResult], value: Callable[[EvaluationResult], float | None]
) -> dict[str, dict[str, float | None]]:
    columns = list(dict.fromkeys(column(result) for result in results))
    rows: dict[str, dict[str, float | None]] = {}
    for result in results:
        rows.setdefault(result.benchmark, dict.fromkeys(columns))[column(result)] = value(result)
    if len(rows) > 1:
        means: dict[str, float | None] = {}
        for name in columns:
            found = [row[name] for row in rows.values()]
            known = [number for number in found if number is not None]
            means[name] = sum(known) / len(known) if len(known) == len(found) else None
        rows["mean"] = means
    return rows


def _crossed(
    title: str,
    results: Sequence[EvaluationResult],
    value: Callable[[EvaluationResult], float | None],
    write: Callable[[float], str],
) -> str:
    rows = _by_benchmark(results, value)
    columns = list(dict.fromkeys(column(result) for result in results))
    body = [
        [name, *(DASH if (number := row[one]) is None else write(number) for one in columns)]
        for name, row in rows.items()
    ]
    return _table(title, ["benchmark", *columns], body)


def _details(results: Sequence[EvaluationResult]) -> str:
    header = ["model", "benchmark", "questions", "samples", "pass@1", "95 % interval", "pass@k", "tokens", "stopped"]
    body = []
    for result in results:
        last = list(result.pass_at_k.items())[1:][-1:]  # pass@1 has a column of its own
        body.append(
            [
                *(column(result), result.benchmark, str(result.num_questions), str(result.samples_per_question)),
                _percent(result.pass_at_1),
                DASH if result.interval_95 is None else " – ".join(_percent(end) for end in result.interval_95),
                f"pass@{last[0][0]} {_percent(last[0][1])}" if last else DASH,
                f"{result.mean_completion_tokens:.1f}",
                _percent(result.stop_ratio) + _notes(result),
            ]
        )
    return _table("Each model on each benchmark", header, body)


def _notes(result: EvaluationResult) -> str:
    notes = []
    if result.num_unchecked:
        notes.append(f"{result.num_unchecked} could not be checked")
    if result.num_refused:
        notes.append(f"{result.num_refused} refused")
    return f" ({', '.join(notes)})" if notes else ""


def _changes(changes: Sequence[Trajectory]) -> str:
    body = [
        [
            *(one.name, one.benchmark, f"{one.from_round} → {one.to_round}", one.kind, str(one.num_samples)),
            _percent(one.share),
            _arrow(one.mean_completion_tokens, 0),
        ]
        for one in changes
    ]
    header = ["model", "benchmark", "rounds", "correct before–after", "samples", "share", "mean tokens"]
    return _table("What another round changed (C correct, I incorrect)", header, body)


def _words(changes: Sequence[Trajectory]) -> str:
    body = [
        [
            *(one.name, one.benchmark, f"{one.from_round} → {one.to_round}", one.kind),
            *(_arrow(one.words[word], 1) for word in WORDS),
        ]
        for one in changes
    ]
    header = ["model", "benchmark", "rounds", "correct before–after", *WORDS]
    return _table("Marker words of an answer", header, body)


def _table(title: str, header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [f"### {title}", "", _line(header), _line(["---"] * len(header)), *map(_line, body), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    written = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(written)} |"


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{100 * share:.1f}"


def _arrow(values: tuple[float, float], digits: int) -> str:
    return " → ".join(f"{value:.{digits}f}" for value in values)
