"""The closing summary of a run, as text."""

from pathlib import Path
from typing import Any


def summary_lines(summary: dict[str, Any], root: Path) -> list[str]:
    """The closing summary as lines of text."""
    passes = summary["pass_at_1"]
    removed = ", ".join(f"{reason} {count}" for reason, count in summary["removed"].items()) or "none"
    unanswered = ", ".join(f"{reason} {count}" for reason, count in summary["unanswered"].items()) or "none"
    tries = ", ".join(f"{number}: {count}" for number, count in summary["attempts_by_number_accepted"].items())
    teachers = ", ".join(f"{name} {_percent(value)}" for name, value in passes["teachers"].items()) or "-"
    withheld = ", ".join(f"{reason} {count}" for reason, count in summary["withheld"].items()) or "none"
    sessions = "" if summary["sessions"] == 1 else f" in {summary['sessions']} sessions"
    goodput, overlap = _number(summary["goodput_tokens_per_s"]), _number(summary["overlap_ratio"], 2)
    whole = _number(summary["goodput_of_run_tokens_per_s"])
    first, last = _number(summary["loss_first"], 3), _number(summary["loss_last"], 3)
    asked = f"{summary['attempts']:,}, {summary['retries']:,} of them retries"
    broken = f", some {summary['saved_tokens']:,} saved by breaking {summary['broken_off']:,} answers off"
    rows = [
        ("state", f"{summary['state']}, {summary['wall_s']:.0f} s{sessions}"),
        ("queries in", f"{summary['queries_in']:,}, kept {summary['kept']:,}"),
        ("removed", removed),
        (
            "attempts",
            f"{asked}, for {summary['pairs']:,} pairs of query and teacher",
        ),
        ("accepted", f"{summary['accepted']:,}, at attempt {tries or '-'}"),
        ("unanswered", unanswered),
        ("samples", f"{summary['samples']:,} in the dataset; accepted and withheld: {withheld}"),
        ("goodput", f"{goodput} accepted tokens/s while teachers were asked, {whole} over the whole run"),
        (
            "tokens",
            f"{summary['generated_tokens']:,} generated{broken if summary['broken_off'] else ''}",
        ),
        ("overlap ratio", f"{overlap} of generation, verification and training at work at once"),
        (
            "rows",
            f"{_count(summary['rows'])} of {_count(summary['documents_packed'])} documents;"
            f" {summary['excluded_too_long']:,} longer than a row",
        ),
        ("fill", _percent(summary["fill"])),
        ("loss", f"{first} → {last} in {summary['steps']} steps"),
        ("pass@1 student", f"{_percent(passes['student_before'])} → {_percent(passes['student_after'])}"),
        ("pass@1 teachers", teachers),
        ("bottleneck", summary["bottleneck"] or "-"),
        ("everything", f"{root}  (report.html, dataset/, student/, trace.json, rejects/)"),
    ]
    absent = {
        *(("rows", "fill") if summary["rows"] is None else ()),
        *(("loss",) if not summary["steps"] else ()),
        *(("pass@1 student",) if passes["student_before"] is None and passes["student_after"] is None else ()),
        *(("pass@1 teachers",) if not passes["teachers"] else ()),
    }
    return [f"{name:>16}  {text}" for name, text in rows if name not in absent]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
