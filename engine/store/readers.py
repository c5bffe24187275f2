"""Queries of any input file. A row that is no query is a Reject that names file, line and cause; no other suffers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.records import CATEGORIES, Message, Query, Reject, content_id
from reasonmill.engine.store.published import QUESTIONS, choices_of, question_of, reference_of, with_choices
from reasonmill.engine.store.responses import ROLES
from reasonmill.engine.store.rows import Row, read_rows


def read_queries(
    paths: Sequence[str | Path], *, category: str | None = None, source: str | None = None
) -> Iterator[Query | Reject]:
    """Queries of the files in order; `category` and `source` are for rows that name none.

    A row needs `messages`, the released `conversations`, or text under one of `published.QUESTIONS`; a reference that
    stands under another name than `ground_truth` is read by `published.reference_of`. Raises FileNotFoundError or
    ValueError where a whole file cannot be read.
    """
    for path in paths:
        origin = source or Path(path).name
        for row in read_rows(path):
            yield read_query(row, path, category=category, source=origin)


def read_query(row: Row, path: str | Path, *, category: str | None, source: str) -> Query | Reject:
    """The query of a row of this file; `category` and `source` are for a row that names none."""
    place = f"{path}:{row.line}"
    if row.value is None:
        return _unreadable(place, row.error or "empty row")
    try:
        return query_from_json(row.value, category=category, source=source)
    except ValueError as error:
        return _unreadable(place, str(error))


def _unreadable(place: str, error: str) -> Reject:
    return Reject(
        query_id=content_id("unreadable", place),
        stage="read",
        reason="unreadable_line",
        evidence={"place": place, "error": error},
    )


def query_from_json(value: dict[str, Any], *, category: str | None = None, source: str = "") -> Query:
    """Query of one parsed row. Raises ValueError that names the key and the value at fault."""
    try:
        return _query(value, category, source)
    except RecursionError:
        raise ValueError("the row is nested too deep") from None


def _query(value: dict[str, Any], category: str | None, source: str) -> Query:
    origin = _origin(value)
    messages = _messages(value)
    chosen = value.get("category") or origin.get("category") or category or "other"
    if chosen not in CATEGORIES:
        raise ValueError(f"category {chosen!r} is none of {', '.join(CATEGORIES)}")
    came_from = str(value.get("source") or origin.get("source") or source)
    ground_truth = _first(value, origin, "ground_truth")
    if ground_truth in (None, ""):
        ground_truth = reference_of(value) or ground_truth
    test_case = _object(_first(value, origin, "test_case"), "test_case")
    constraint = _object(_first(value, origin, "instruction_constrain"), "instruction_constrain")
    given = value.get("id")
    if given is not None and not isinstance(given, str | int):
        raise ValueError(f"id {given!r} is neither a string nor an integer")
    return Query(
        id=str(given)
        if given not in (None, "")
        else content_id(chosen, *(m.role + "\n" + m.content for m in messages)),
        messages=messages,
        category=chosen,
        source=came_from,
        ground_truth=None if ground_truth is None else str(ground_truth),
        test_case=test_case,
        instruction_constrain=constraint,
        tags=_tags(value.get("tags")),
    )


def query_to_json(query: Query) -> dict[str, Any]:
    """The query as a JSON object that `query_from_json` reads back to an equal query."""
    content = {
        "id": query.id,
        "messages": [{"role": m.role, "content": m.content} for m in query.messages],
        "category": query.category,
        "source": query.source,
        "ground_truth": query.ground_truth,
        "test_case": query.test_case,
        "instruction_constrain": query.instruction_constrain,
    }
    return {**content, "tags": query.tags} if query.tags else content


def query_of_record(record: bytes) -> Query:
    """Query of a record that `query_to_json` made, JSON as bytes; what was checked then is not checked again."""
    content = orjson.loads(record)
    turns = content.pop("messages")
    return Query(messages=tuple(Message(role=turn["role"], content=turn["content"]) for turn in turns), **content)


def _tags(value: Any) -> dict[str, str]:
    """Labels as curation writes them; what others keep under this name is left out."""
    if not isinstance(value, dict) or not all(isinstance(label, str) for label in value.values()):
        return {}
    return {str(name): label for name, label in value.items()}


def _first(value: dict[str, Any], origin: dict[str, Any], key: str) -> Any:
    return value[key] if value.get(key) is not None else origin.get(key)


def _origin(value: dict[str, Any]) -> dict[str, Any]:
    """The `info` of a released row (arXiv 2505.14464 dataset card), wherever one of its turns carries it."""
    turns = value.get("conversations")
    for turn in turns if isinstance(turns, list) else ():
        if isinstance(turn, dict) and isinstance(turn.get("info"), dict):
            return turn["info"]  # type: ignore[no-any-return]
    return {}


def _messages(value: dict[str, Any]) -> tuple[Message, ...]:
    if value.get("messages") is not None:
        messages = _turns(value["messages"], "messages", role_key="role", content_key="content")
    elif value.get("conversations") is not None:
        messages = _turns(value["conversations"], "conversations", role_key="from", content_key="value")
        system = value.get("system")
        if isinstance(system, str) and system:
            messages = (Message(role="system", content=system), *messages)
    elif _are_turns(value.get("prompt")):  # verl's layout
        messages = _turns(value["prompt"], "prompt", role_key="role", content_key="content")
    else:
        messages = (Message(role="user", content=_question(value)),)
    while messages and messages[-1].role == "assistant":  # an answer of the source: the question is what precedes it
        messages = messages[:-1]
    if not messages or messages[-1].role != "user":
        raise ValueError("the conversation has no user turn at its end")
    return messages


def _are_turns(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) for turn in value)


def _question(value: dict[str, Any]) -> str:
    text = question_of(value)
    if text is None:
        for key in QUESTIONS:
            if value.get(key) is not None:
                raise ValueError(f"{key} is {type(value[key]).__name__}, expected text")
        raise ValueError(f"no messages, conversations, {', '.join(QUESTIONS)} among the keys {sorted(value)[:12]}")
    choices = choices_of(value)
    return text if choices is None else with_choices(text, choices)


def _turns(value: Any, key: str, *, role_key: str, content_key: str) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} is not a list of turns")
    turns = []
    for number, turn in enumerate(value):
        if not isinstance(turn, dict):
            raise ValueError(f"{key}[{number}] is {type(turn).__name__}, expected an object")
        role, content = turn.get(role_key), turn.get(content_key)
        if not isinstance(role, str) or role not in ROLES:
            raise ValueError(f"{key}[{number}].{role_key} {role!r} is none of {', '.join(ROLES)}")
        if not isinstance(content, str):
            raise ValueError(f"{key}[{number}].{content_key} is {type(content).__name__}, expected text")
        turns.append(Message(role=ROLES[role], content=content))
    return tuple(turns)


def _object(value: Any, key: str) -> dict[str, Any] | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError(f"{key} is text that is not JSON: {value[:80]!r}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {type(value).__name__}, expected an object")
    try:
        orjson.dumps(value)
    except TypeError as error:  # bytes of a parquet file, or nested deeper than orjson writes
        raise ValueError(f"{key} is no JSON: {error}") from None
    return value
