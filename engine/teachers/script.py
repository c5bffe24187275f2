"""Answers written down in advance: one for each attempt at each query, from a file or worked out by rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from reasonmill.engine.teachers.protocol import FINISH_REASONS, GenerationRequest, RequestRefused


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptedResponse:
    """One answer; `delay_s` seconds pass before it is given."""

    text: str
    finish_reason: str = "stop"
    delay_s: float = 0.0


class Script(Protocol):
    """Where answers come from."""

    def response(self, request: GenerationRequest) -> ScriptedResponse:
        """The answer to a request. Raises RequestRefused where the script has none."""
        ...


class ScriptFile:
    """JSONL of {"query_id", "responses": [{"text", "finish_reason"?, "delay_s"?}, …]}: attempt k of a query gets
    response (k - 1) modulo their number.
    """

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ValueError that names the line at fault."""
        self._path = path
        self._responses = dict(_read(path))

    def response(self, request: GenerationRequest) -> ScriptedResponse:
        """The answer to a request. Raises RequestRefused for a query that the file does not name."""
        responses = self._responses.get(request.query_id)
        if responses is None:
            raise RequestRefused(f"{self._path} has no answer to query {request.query_id}")
        return responses[(request.number - 1) % len(responses)]


def _read(path: Path) -> Iterator[tuple[str, tuple[ScriptedResponse, ...]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield _entry(orjson.loads(line))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"script: {path}:{number}: {error!r}") from error


def _entry(value: dict[str, Any]) -> tuple[str, tuple[ScriptedResponse, ...]]:
    responses = tuple(ScriptedResponse(**response) for response in value["responses"])
    if not responses:
        raise ValueError("an empty list of responses")
    for response in responses:
        if response.finish_reason not in FINISH_REASONS:
            raise ValueError(f"finish_reason {response.finish_reason!r} is none of {', '.join(FINISH_REASONS)}")
    return str(value["query_id"]), responses
