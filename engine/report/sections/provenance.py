"""What it was made with and where everything lies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.report import numbers
from reasonmill.engine.report.html import Child, Markup, card, folded, grid, section, table, tag
from reasonmill.engine.report.run_figures import RunFigures

_PLACES = (
    ("dataset", "accepted traces, one folder of parquet shards for each teacher"),
    ("rejects", "what left the run, with reasons and evidence"),
    ("packed", "rows of tokens, masks and positions for training"),
    ("student", "the fine-tuned student, a Hugging Face model folder"),
    ("train", "training metrics and checkpoints"),
    ("evaluation.json", "scores of students and teachers"),
    ("analysis.json", "the numbers behind this page"),
    ("summary.json", "the run in one object"),
    ("metrics.jsonl", "counters and channels over time"),
    ("trace.json", "every span of work; Perfetto opens it"),
    ("journal.sqlite", "the memory of the run; resume needs it"),
    ("recipe.resolved.yaml", "the recipe with every default written out"),
    ("README.md", "the dataset card"),
    ("logs", "logs of every process"),
)


def provenance(run: RunFigures) -> Markup:
    """The section on provenance."""
    summary = run.files.summary
    return section(
        "provenance",
        "What it was made with, and where it lies",
        grid(_pairs("Versions", summary.get("versions")), _pairs("Hardware", summary.get("hardware"))),
        grid(_pairs("Restarts", summary.get("restarts")), _pairs("Paths", summary.get("paths"))),
        _places(run.files.run_dir),
        folded("The resolved recipe", tag("pre", run.files.recipe_text)) if run.files.recipe_text else None,
    )


def _pairs(title: str, values: Any) -> Markup | None:
    if not isinstance(values, Mapping) or not values:
        return None
    rows = [
        [str(key).removesuffix("_bytes").replace("_", " "), _written(str(key), value)] for key, value in values.items()
    ]
    return card(title, table(["", ""], rows, text_columns=2))


def _written(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value in (None, [], {}):
        return "none"
    if key.endswith("_bytes"):
        return numbers.size(value)
    return numbers.short(value) if numbers.is_number(value) else orjson.dumps(value, default=str).decode()


def _places(run_dir: Path) -> Markup:
    rows: list[list[Child]] = []
    for name, meaning in _PLACES:
        path = run_dir / name
        if path.exists():
            rows.append([tag("code", name + "/" * path.is_dir()), meaning, numbers.size(_bytes(path))])
    return card(f"In {run_dir.resolve()}", table(["place", "what it is", "size"], rows, text_columns=2), wide=True)


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
