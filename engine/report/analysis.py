"""The numbers behind the page as one JSON value: the analyses of arXiv 2505.14464 section 2.3 and the run's own."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reasonmill.engine.report.paper_table import as_json
from reasonmill.engine.report.run_figures import RunFigures
from reasonmill.engine.report.sections.dataset import NUM_BINS, PAPER_BIN, bin_width
from reasonmill.engine.store.dataset_figures import DatasetFigures
from reasonmill.engine.store.lengths import LengthCounts, box_of

_FACTS = (
    "queries_in",
    "removed",
    "kept",
    "pairs",
    "accepted",
    "unanswered",
    "withheld",
    "samples",
    "attempts",
    "attempts_by_number_accepted",
    "accepted_tokens",
    "generated_tokens",
    "goodput_tokens_per_s",
    "goodput_of_run_tokens_per_s",
    "overlap_ratio",
    "rows",
    "fill",
    "documents_packed",
    "excluded_too_long",
    "steps",
    "loss_first",
    "loss_last",
    "pass_at_1",
    "stages",
    "bottleneck",
)


def analyse(run: RunFigures) -> dict[str, Any]:
    """Figures of a run; what it has not reached is null, and `missing` says what that is."""
    return {
        "run": run.files.name,
        "state": run.files.state,
        "wall_s": run.files.wall_s,
        "missing": run.missing,
        "run_figures": {key: run.fact(key) for key in _FACTS},
        "dataset": _dataset(run.dataset),
        "word_markers": {teacher: asdict(markers) for teacher, markers in run.markers.items()},
        "acceptance": _acceptance(run),
        "evaluation": run.files.evaluations,
        "loss": {
            "steps": [s["step"] for s in run.files.steps],
            "loss": [s.get("loss") for s in run.files.steps],
            "learning_rate": [s.get("learning_rate") for s in run.files.steps],
        },
        "timeline": _timeline(run),
    }


def _dataset(figures: DatasetFigures) -> dict[str, Any]:
    cells: list[tuple[str | None, str | None]] = [
        (t, c) for t in (*figures.teachers, None) for c in (*figures.categories, None)
    ]
    return {
        "samples": figures.num_samples,
        "teachers": figures.teachers,
        "categories": figures.categories,
        "instance_share": {
            c: figures.of(category=c).num / figures.num_samples for c in figures.categories if figures.num_samples
        },
        "figure_2": as_json(figures),
        "token_share": {teacher: _token_share(figures, teacher) for teacher in figures.teachers},
        "lengths": [
            {"teacher": teacher, "category": category, **_lengths(counts)}
            for teacher, category in cells
            if (counts := figures.of(teacher=teacher, category=category)).num
        ],
        "perplexity": {t: asdict(box_of(values)) for t, values in sorted(figures.perplexities.items())},
        "accepted_at_attempt": {str(k): v for k, v in sorted(figures.attempts.items())},
        "verifiers": [{"category": c, "verifier": v, "samples": n} for (c, v), n in sorted(figures.verifiers.items())],
        "sources": [{"category": c, "source": s, "samples": n} for (c, s), n in sorted(figures.sources.items())],
    }


def _token_share(figures: DatasetFigures, teacher: str) -> Mapping[str, float]:
    whole = figures.of(teacher=teacher).total
    return {c: figures.of(teacher=teacher, category=c).total / whole for c in figures.categories if whole}


def _lengths(counts: LengthCounts) -> dict[str, Any]:
    width = bin_width(round(counts.quantile(0.99)))
    return {
        "samples": counts.num,
        "tokens": counts.total,
        "box": asdict(counts.box()),
        f"histogram_{PAPER_BIN}": counts.histogram(PAPER_BIN, NUM_BINS),
        "histogram": {"bin_width": width, "counts": counts.histogram(width, NUM_BINS)},
    }


def _acceptance(run: RunFigures) -> list[dict[str, Any]] | None:
    journal = run.journal
    if journal is None:
        return None
    return [
        {"teacher": t, "category": c, "pairs": number, "accepted": journal.accepted[t, c]}
        for (t, c), number in sorted(journal.pairs.items())
    ]


def _timeline(run: RunFigures) -> dict[str, Any] | None:
    timeline = run.timeline
    if timeline is None:
        return None
    return {
        "start_s": timeline.start_s,
        "end_s": timeline.end_s,
        "spans": timeline.num_spans,
        "open_spans": {category: values.round(3).tolist() for category, values in timeline.open_spans.items()},
    }
