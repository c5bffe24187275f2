"""A response and its question in a row of any dataset file: of a run's shard, of any form that `reasonmill export`
writes, or of the input of `reasonmill verify`. The same sample reads the same in each of them.

The `system` text of the released form is kept apart there and is no turn (arXiv 2505.14464 dataset card).
"""

from typing import Any

ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
Turn = tuple[str, str]  # role, content


def turns_of(row: dict[str, Any]) -> list[Turn]:
    """The conversation of a row, its response last. Raises ValueError that says what is missing."""
    if row.get("messages") is not None:
        turns = _turns(row["messages"], "messages", "role", "content")
    elif row.get("conversations") is not None:
        turns = _turns(row["conversations"], "conversations", "from", "value")
    else:
        raise ValueError("no messages or conversations")
    if isinstance(row.get("response"), str):
        turns.append(("assistant", row["response"]))
    if turns[-1][0] != "assistant":
        raise ValueError("no response")
    return turns


def told(row: dict[str, Any], key: str) -> Any:
    """What a row says of its response: itself, or in the released form by the `info` of its last turn; else None."""
    value = row.get(key)
    if value is not None:
        return value
    turns = row.get("conversations")
    last = turns[-1] if isinstance(turns, list) and turns else None
    info = last.get("info") if isinstance(last, dict) else None
    return info.get(key) if isinstance(info, dict) else None


def _turns(value: Any, key: str, role_key: str, content_key: str) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"no {key}")
    turns = []
    for turn in value:
        role, content = (turn.get(role_key), turn.get(content_key)) if isinstance(turn, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise ValueError(f"{key}: a turn without {role_key} or {content_key}")
        if role_key == "from" and role not in ROLES:
            raise ValueError(f"{key}: the role {role!r} is none of {', '.join(ROLES)}")
        turns.append((ROLES.get(role, role), content))  # roles of `messages` are the chat template's affair
    return turns
