"""Instances and response tokens by category and teacher in the form of arXiv 2505.14464 Figure 2, which counts
multi-turn conversation and general reasoning together as general chat.
"""

from dataclasses import dataclass
from typing import Any

from reasonmill.engine.store.dataset_figures import DatasetFigures
from reasonmill.engine.store.lengths import LengthCounts

ROWS = (
    ("general chat", ("multiturn", "other")),
    ("math", ("math",)),
    ("code", ("code",)),
    ("science", ("science",)),
    ("if", ("if",)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One teacher's traces of one row; shares are of all its traces and tokens."""

    instances: int
    instance_share: float
    tokens: int
    token_share: float
    mean_tokens: float


def paper_table(figures: DatasetFigures) -> dict[str, dict[str, Cell]]:
    """Cells by row and teacher, rows that hold anything in the figure's order, then `total`."""
    table: dict[str, dict[str, Cell]] = {}
    for name, categories in (*ROWS, ("total", None)):
        cells = {}
        for teacher in figures.teachers:
            counts = _counts(figures, teacher, categories)
            whole = figures.of(teacher=teacher)
            cells[teacher] = Cell(
                instances=counts.num,
                instance_share=counts.num / whole.num if whole.num else 0.0,
                tokens=counts.total,
                token_share=counts.total / whole.total if whole.total else 0.0,
                mean_tokens=counts.total / counts.num if counts.num else 0.0,
            )
        if any(cell.instances for cell in cells.values()):
            table[name] = cells
    return table


def is_parallel(table: dict[str, dict[str, Cell]]) -> bool:
    """Whether every row holds as many traces of each teacher, as where all of them answered the same questions."""
    return all(len({cell.instances for cell in cells.values()}) == 1 for cells in table.values())


def _counts(figures: DatasetFigures, teacher: str, categories: tuple[str, ...] | None) -> LengthCounts:
    if categories is None:
        return figures.of(teacher=teacher)
    total = LengthCounts()
    for category in categories:
        total = total + figures.of(teacher=teacher, category=category)
    return total


def as_json(figures: DatasetFigures) -> dict[str, Any]:
    """The table as JSON values."""
    table = paper_table(figures)
    return {
        "parallel": is_parallel(table),
        "rows": {
            name: {
                teacher: {
                    "instances": cell.instances,
                    "instance_share": cell.instance_share,
                    "tokens": cell.tokens,
                    "token_share": cell.token_share,
                    "mean_tokens": cell.mean_tokens,
                }
                for teacher, cell in cells.items()
            }
            for name, cells in table.items()
        },
    }
