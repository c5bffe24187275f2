"""What a verification came to: verdicts by category, outcome and reason, with an example of what was not run and of
what a program died of.
"""

from collections import Counter
from dataclasses import dataclass, field

from rich.table import Table

from reasonmill.verify.verdict import Verdict

UNREADABLE = "unreadable_line"
_TOLD = ("runtime_error", "compile_error", "memory_limit", "output_limit")  # why a program failed, where it says so


@dataclass(slots=True)
class Summary:
    """Counts of one file; grows with the number of categories and reasons, not of rows."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (category, outcome, reason)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)  # the first detail of each
    busy_s: float = 0.0  # duration of all checks together
    slowest_s: float = 0.0
    resumed: int = 0  # rows taken over from an output that was there

    def add(self, category: str, verdict: Verdict) -> None:
        """Count one verdict."""
        self.add_known(category, verdict.outcome, verdict.reason, verdict.duration_s)
        if verdict.detail and (verdict.outcome == "not_run" or verdict.reason in _TOLD):
            self.examples.setdefault((category, verdict.reason), verdict.detail)

    def add_known(self, category: str, outcome: str, reason: str, duration_s: float) -> None:
        """Count one line of an output."""
        self.counts[category, outcome, reason] += 1
        self.busy_s += duration_s
        self.slowest_s = max(self.slowest_s, duration_s)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.counts.total()

    @property
    def unreadable(self) -> int:
        """Rows that could not be read."""
        return sum(number for (_, _, reason), number in self.counts.items() if reason == UNREADABLE)

    def outcomes(self) -> dict[str, int]:
        """rows, pass, fail, not_run, unreadable."""
        by_outcome: Counter[str] = Counter()
        for (_, outcome, _), number in self.counts.items():
            by_outcome[outcome] += number
        counted = {outcome: by_outcome[outcome] for outcome in ("pass", "fail", "not_run")}
        return {"rows": self.rows, **counted, "unreadable": self.unreadable}

    def table(self) -> Table:
        """Verdicts by category and reason, the most frequent reason first."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("category", "outcome", "reason"):
            table.add_column(name, no_wrap=True)
        table.add_column("rows", justify="right", no_wrap=True)
        table.add_column("share", justify="right", no_wrap=True)
        of_category: Counter[str] = Counter()
        for (category, _, _), number in self.counts.items():
            of_category[category] += number
        order = ("pass", "fail", "not_run")
        for (category, outcome, reason), number in sorted(
            self.counts.items(), key=lambda item: (item[0][0], order.index(item[0][1]), -item[1], item[0][2])
        ):
            share = f"{100 * number / of_category[category]:.1f} %"
            table.add_row(category.replace("[", "\\["), outcome, reason, f"{number:,}", share)
        return table
