"""Live progress: one redrawn table on a terminal, one line every few seconds elsewhere. Then the closing summary."""

import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from reasonmill.engine.flow.telemetry import Telemetry

LINE_EVERY_S = 5.0


class Progress:
    """Shows a run's telemetry; use as a context manager and call `show` at every tick."""

    def __init__(self, console: Console, telemetry: Telemetry, train_metrics: Path) -> None:
        self._console = console
        self._telemetry = telemetry
        self._train_metrics = train_metrics
        self._started = time.monotonic()
        self._last_line = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self) -> None:
        """Show the figures of this moment."""
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._table(now - self._started), refresh=True)
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            figures = " · ".join(f"{name} {value}" for name, value in self._figures().items())
            self._console.print(f"[{now - self._started:6.0f} s] {figures}", highlight=False, soft_wrap=True)

    def _figures(self) -> dict[str, str]:
        counters, telemetry = self._telemetry.counters, self._telemetry
        figures = {
            "generating": str(telemetry.active("generate")),
            "verifying": str(telemetry.active("verify")),
            "attempts": f"{counters['attempts']:,}",
            "accepted": f"{counters['accepted']:,}",
            "unanswered": f"{counters['unanswered']:,}",
            "accepted tokens": f"{counters['accepted_tokens']:,}",
        }
        step = self._last_step()
        if step is not None:
            figures["train"] = f"step {step['step']}, loss {step['loss']:.3f}"
        return figures

    def _last_step(self) -> dict[str, Any] | None:
        try:
            with self._train_metrics.open("rb") as stream:
                stream.seek(0, 2)
                stream.seek(max(0, stream.tell() - 4096))
                lines = stream.read().splitlines()
            return orjson.loads(lines[-1])  # type: ignore[no-any-return]
        except (OSError, IndexError, orjson.JSONDecodeError):  # not begun, or a line half-written
            return None

    def _table(self, elapsed_s: float) -> Table:
        table = Table(title=f"reasonmill · {elapsed_s:.0f} s", show_header=False)
        for name, value in self._figures().items():
            table.add_row(name, value)
        return table


def summary_lines(summary: dict[str, Any], root: Path) -> list[str]:
    """The closing summary as lines of text."""
    passes = summary["pass_at_1"]
    removed = ", ".join(f"{reason} {count}" for reason, count in summary["removed"].items()) or "none"
    unanswered = ", ".join(f"{reason} {count}" for reason, count in summary["unanswered"].items()) or "none"
    tries = ", ".join(f"{number}: {count}" for number, count in summary["attempts_by_number_accepted"].items())
    teachers = ", ".join(f"{name} {_percent(value)}" for name, value in passes["teachers"].items()) or "-"
    wall = (summary["ended_unix_s"] or 0) - (summary["started_unix_s"] or 0)
    goodput, overlap = _number(summary["goodput_tokens_per_s"]), _number(summary["overlap_ratio"], 2)
    first, last = _number(summary["loss_first"], 3), _number(summary["loss_last"], 3)
    rows = [
        ("state", f"{summary['state']}, {wall:.0f} s"),
        ("queries in", f"{summary['queries_in']:,}, kept {summary['kept']:,}"),
        ("removed", removed),
        ("attempts", f"{summary['attempts']:,} for {summary['pairs']:,} pairs of query and teacher"),
        ("accepted", f"{summary['accepted']:,}, at attempt {tries or '-'}"),
        ("unanswered", unanswered),
        ("goodput", f"{goodput} accepted tokens/s; {summary['generated_tokens']:,} tokens generated"),
        ("overlap ratio", f"{overlap} of generation, verification and training at work at once"),
        ("rows", f"{_count(summary['rows'])} of {_count(summary['documents_packed'])} documents"),
        ("fill", _percent(summary["fill"])),
        ("loss", f"{first} → {last} in {summary['steps']} steps"),
        ("pass@1 student", f"{_percent(passes['student_before'])} → {_percent(passes['student_after'])}"),
        ("pass@1 teachers", teachers),
        ("bottleneck", summary["bottleneck"] or "-"),
        ("everything", f"{root}  (report.html, dataset/, student/, trace.json, rejects/)"),
    ]
    return [f"{name:>16}  {text}" for name, text in rows]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
