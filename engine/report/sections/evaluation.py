"""Did it help: pass@1 of the student before and after, beside its teachers."""

from typing import Any

from reasonmill.engine.report import numbers
from reasonmill.engine.report.bar_charts import Score, scores
from reasonmill.engine.report.html import Markup, card, grid, missing, section, table
from reasonmill.engine.report.run_figures import RunFigures

_ROLES = {"student_before": "student before", "student_after": "student after", "teacher": "teacher"}
_CLASSES = {"student_before": "before", "student_after": "after", "teacher": "neutral"}


def evaluation(run: RunFigures) -> Markup:
    """The section on evaluation."""
    results = sorted(
        (r for r in run.files.evaluations if numbers.is_number(r.get("pass_at_1"))),
        key=lambda r: (list(_ROLES).index(r["role"]) if r.get("role") in _ROLES else len(_ROLES), str(r.get("name"))),
    )
    if not results:
        text = "No model has been evaluated: the recipe has no section evaluate, or the run ended before."
        return section("evaluation", "Evaluation", missing(text))
    rows = [
        Score(_name(r), r["pass_at_1"], r["stderr"] if numbers.is_number(r.get("stderr")) else None, _class(r))
        for r in results
    ]
    note = (
        "Mean over samples and questions; whiskers are one standard error. The questions were held back from training."
    )
    return section(
        "evaluation",
        "Evaluation",
        grid(card("pass@1", scores(rows, "pass@1"), note=note), _table(results)),
        _by_source(results),
    )


def _name(result: dict[str, Any]) -> str:
    role = _ROLES.get(str(result.get("role")), str(result.get("role")))
    return f"{role} {result.get('name')}" if role == "teacher" else role


def _class(result: dict[str, Any]) -> str:
    return _CLASSES.get(str(result.get("role")), "neutral")


def _table(results: list[dict[str, Any]]) -> Markup:
    rows = [
        [
            _name(r),
            numbers.percent(r["pass_at_1"]),
            numbers.percent(r.get("stderr")),
            numbers.count(r.get("num_questions")),
            numbers.count(r.get("samples_per_question")),
            numbers.count(r.get("mean_completion_tokens")),
        ]
        for r in results
    ]
    header = ["model", "pass@1", "± s.e.", "questions", "samples", "mean tokens"]
    return card("Scores and response lengths", table(header, rows))


def _by_source(results: list[dict[str, Any]]) -> Markup | None:
    tables = [(r, r["by_source"]) for r in results if isinstance(r.get("by_source"), dict) and r["by_source"]]
    sources = sorted({str(source) for _, scores_of in tables for source in scores_of})
    if not sources:
        return None
    rows = [[source, *(numbers.percent(by.get(source)) for _, by in tables)] for source in sources]
    header = ["questions from", *(_name(r) for r, _ in tables)]
    return card("pass@1 by source of the questions", table(header, rows), wide=True)
