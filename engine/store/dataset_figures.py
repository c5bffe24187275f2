"""Figures of a dataset, from one pass over the narrow columns of its shards: no text is read."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.store.lengths import LengthCounts
from reasonmill.engine.store.shards import read_batches

_COLUMNS = ("model_name", "category", "completion_tokens", "attempt", "verifier", "source", "quality")
PERPLEXITY_KEYS = ("perplexity", "ppl")  # names under which `quality` holds it


@dataclass(kw_only=True)
class DatasetFigures:
    """Counts of a dataset; keys are (teacher, category) unless said otherwise."""

    tokens: dict[tuple[str, str], LengthCounts] = field(default_factory=dict)  # response tokens
    attempts: Counter[int] = field(default_factory=Counter)  # by number of the accepted attempt
    verifiers: Counter[tuple[str, str]] = field(default_factory=Counter)  # (category, verifier)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)  # (category, source)
    perplexities: "dict[str, array[float]]" = field(default_factory=dict)  # by teacher
    unreadable: list[str] = field(default_factory=list)  # shards that could not be read, with the cause

    @property
    def teachers(self) -> list[str]:
        """Names in alphabetical order."""
        return sorted({teacher for teacher, _ in self.tokens})

    @property
    def categories(self) -> list[str]:
        """Categories present, in the order of the released files."""
        present = {category for _, category in self.tokens}
        return [c for c in CATEGORIES if c in present] + sorted(present - set(CATEGORIES))

    @property
    def num_samples(self) -> int:
        """Rows of all shards."""
        return sum(counts.num for counts in self.tokens.values())

    def of(self, *, teacher: str | None = None, category: str | None = None) -> LengthCounts:
        """Response tokens of a teacher, a category, both, or all."""
        total = LengthCounts()
        for (this_teacher, this_category), counts in self.tokens.items():
            if teacher in (None, this_teacher) and category in (None, this_category):
                total = total + counts
        return total


def measure_dataset(shards: Sequence[Path]) -> DatasetFigures:
    """Figures of the shards; one that cannot be read is named in `unreadable` and left out as a whole."""
    figures = DatasetFigures()
    for path in shards:
        try:
            batches = list(read_batches(path, _COLUMNS))
        except (OSError, ValueError) as error:
            figures.unreadable.append(f"{path.parent.name}/{path.name}: {error}")
            continue
        for batch in batches:
            _add(figures, batch)
    return figures


def _add(figures: DatasetFigures, batch: Any) -> None:
    columns = {name: batch.column(name).to_pylist() for name in _COLUMNS}
    tokens = np.asarray(columns["completion_tokens"], dtype=np.int64)
    keys = list(zip(columns["model_name"], columns["category"], strict=True))
    for key in sorted(set(keys)):
        chosen = np.fromiter((other == key for other in keys), dtype=np.bool_, count=len(keys))
        figures.tokens.setdefault(key, LengthCounts()).add(tokens[chosen])
    figures.attempts.update(columns["attempt"])
    figures.verifiers.update(zip(columns["category"], columns["verifier"], strict=True))
    figures.sources.update(zip(columns["category"], columns["source"], strict=True))
    for teacher, quality in zip(columns["model_name"], columns["quality"], strict=True):
        if '"ppl"' in quality or '"perplexity"' in quality:
            values = orjson.loads(quality)
            found = next((values[key] for key in PERPLEXITY_KEYS if key in values), None)
            if found is not None:
                figures.perplexities.setdefault(teacher, array("d")).append(float(found))
