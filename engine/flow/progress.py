"""Live progress: one redrawn table on a terminal, one line every few seconds elsewhere."""

import time
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.live import Live
from rich.table import Table

from reasonmill.engine.flow.rates import Rates, remaining_s
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.records import CATEGORIES

LINE_EVERY_S = 5.0
_SELDOM = ("retries", "attempts_cancelled", "broken_off", "teacher_faults", "checks_repeated")  # shown once they occur
_UNITS = (("h", 3600), ("min", 60), ("s", 1))  # of the time left, the first of which there are three


class Progress:
    """Shows a run's telemetry; use as a context manager and call `show` at every tick."""

    def __init__(self, console: Console, telemetry: Telemetry, train_metrics: Path) -> None:
        self._console = console
        self._telemetry = telemetry
        self._train_metrics = train_metrics
        self._started = time.monotonic()
        self._last_line = 0.0
        self._rates = Rates()
        self._first: tuple[float, int] | None = None  # when the first query was open, and what was decided by then
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
        self._rates.note(now, self._telemetry.counters)
        if self._first is None and self._telemetry.counters["attempts"]:
            self._first = (now, self._telemetry.counters["decided"])
        if self._live is not None:
            self._live.update(self._table(now - self._started), refresh=True)
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            figures = " · ".join(f"{name} {value}" for name, value in self._figures().items())
            self._console.print(f"[{now - self._started:6.0f} s] {figures}", highlight=False, soft_wrap=True)

    def _figures(self) -> dict[str, str]:
        counters, telemetry, rate = self._telemetry.counters, self._telemetry, self._rates.per_second
        figures = {"waiting for": telemetry.waiting_for} if telemetry.waiting_for else {}
        figures |= {
            "generating": str(telemetry.active("generate")),
            "verifying": str(telemetry.active("verify")),
            "attempts": f"{counters['attempts']:,}",
            "accepted": f"{counters['accepted']:,} ({rate('accepted'):,.1f}/s)",
            "unanswered": f"{counters['unanswered']:,}",
            "accepted tokens": f"{counters['accepted_tokens']:,}",
            "tokens/s": f"{rate('generated_tokens'):,.0f}, accepted {rate('accepted_tokens'):,.0f}",
        }
        if counters["queries"]:
            figures["queries"] = f"{counters['decided']:,} of {counters['queries']:,}{self._time_left()}"
        for name in _SELDOM:
            if counters[name]:
                figures[name.replace("_", " ")] = f"{counters[name]:,}"
        for category in CATEGORIES:
            judged, accepted = (counters[f"{what}_{category}"] for what in ("judged", "accepted"))
            if judged:
                figures[f"accepted, {category}"] = f"{accepted:,} of {judged:,} ({accepted / judged:.0%})"
        step = self._last_step()
        if step is not None:
            figures["train"] = f"step {step['step']}, loss {step['loss']:.3f}"
        return figures

    def _time_left(self) -> str:
        counters = self._telemetry.counters
        if self._first is None:
            return ""
        since, before = self._first
        left = remaining_s(
            counters["decided"], counters["queries"], done_before=before, elapsed_s=time.monotonic() - since
        )
        if left is None:
            return ""
        unit, seconds = next(((unit, of) for unit, of in _UNITS if left >= 3 * of), _UNITS[-1])
        return f", {left / seconds:,.0f} {unit} left"

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
