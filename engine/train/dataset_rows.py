"""A row of a dataset file as one sample to train on: of a run's shard, or of any form that `reasonmill export` writes.
The same sample has the same turns in each of them.

The `system` text of the released form is kept apart there and is not trained on (arXiv 2505.14464 dataset card).
"""

from dataclasses import dataclass
from typing import Any

_ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetSample:
    """Turns are (role, content), the last of them the response."""

    name: str
    turns: tuple[tuple[str, str], ...]
    teacher: str | None
    category: str | None


def sample_of_row(row: dict[str, Any], place: str) -> DatasetSample:
    """The sample of a row; `place` names one that has no id. Raises ValueError that says what is missing."""
    if row.get("messages") is not None:
        turns = _turns(row["messages"], "messages", "role", "content")
    elif row.get("conversations") is not None:
        turns = _turns(row["conversations"], "conversations", "from", "value")
    else:
        raise ValueError("no messages or conversations")
    if isinstance(row.get("response"), str):
        turns.append(("assistant", row["response"]))
    if turns[-1][0] != "assistant" or not turns[-1][1]:
        raise ValueError("no response")
    info = _info(row)
    teacher = row.get("model_name") or info.get("model_name")
    name = str(row.get("id") or place)
    if teacher and not name.endswith(f"/{teacher}"):  # an exported row's id has it already
        name = f"{name}/{teacher}"
    return DatasetSample(
        name=name,
        turns=tuple(turns),
        teacher=None if teacher is None else str(teacher),
        category=row.get("category") or info.get("category"),
    )


def _info(row: dict[str, Any]) -> dict[str, Any]:
    """What the released form knows of a response: it stands at the last turn."""
    turns = row.get("conversations")
    last = turns[-1] if isinstance(turns, list) else None
    info = last.get("info") if isinstance(last, dict) else None
    return info if isinstance(info, dict) else {}


def _turns(value: Any, key: str, role_key: str, content_key: str) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"no {key}")
    turns = []
    for turn in value:
        role, content = (turn.get(role_key), turn.get(content_key)) if isinstance(turn, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise ValueError(f"{key}: a turn without {role_key} or {content_key}")
        if role_key == "from" and role not in _ROLES:
            raise ValueError(f"{key}: the role {role!r} is none of {', '.join(_ROLES)}")
        turns.append((_ROLES.get(role, role), content))  # roles of `messages` are the chat template's affair
    return turns
