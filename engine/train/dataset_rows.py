"""A row of a dataset file as one sample to train on, of any form that engine/store/responses.py reads."""

from dataclasses import dataclass
from typing import Any

from reasonmill.engine.store.responses import Turn, told, turns_of


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSample:
    """Turns are (role, content), the last of them the response."""

    name: str
    turns: tuple[Turn, ...]
    teacher: str | None
    category: str | None


def sample_of_row(row: dict[str, Any], place: str) -> DatasetSample:
    """The sample of a row; `place` names one that has no id. Raises ValueError that says what is missing."""
    turns = turns_of(row)
    if not turns[-1][1]:
        raise ValueError("no response")
    teacher = told(row, "model_name")
    name = str(row.get("id") or place)
    if teacher and not name.endswith(f"/{teacher}"):  # an exported row's id has it already
        name = f"{name}/{teacher}"
    return DatasetSample(
        name=name,
        turns=tuple(turns),
        teacher=None if teacher is None else str(teacher),
        category=told(row, "category"),
    )
