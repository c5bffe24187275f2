"""Behind `reasonmill verify`: judges a file of responses into a file of verdicts, line by line in the same order, with
a bounded number of rows in memory. The output appears under its name only when it is whole.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from reasonmill.engine.store.aside import whole_file
from reasonmill.engine.store.rows import Row, read_rows
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run

_LEAST_OPEN_ROWS = 64
_OPEN_ROWS_PER_WORKER = 8  # enough that one slow row does not leave the workers behind it idle


async def verify_file(input: str | Path, output: str | Path, settings: VerifySettings) -> dict[str, int]:
    """Judge every row of `input` (types of engine/store/rows.py) into JSON lines: id, outcome, score, verifier, reason,
    duration_s. Returns counts: rows, pass, fail, not_run, unreadable.

    A row that cannot be judged for what it is, is `not_run` with the reason `unreadable_line` and its line number as
    id. Raises FileNotFoundError or ValueError for an input file that is no such file.
    """
    rows = read_rows(input)
    first = next(rows, None)  # an input that is none is found before anything is written
    workers = settings.num_math_workers + settings.sandbox.num_slots
    most_open = max(_LEAST_OPEN_ROWS, _OPEN_ROWS_PER_WORKER * workers)
    with whole_file(Path(output)) as stream:
        async with VerifierPool(settings) as pool:
            counts = await _judge_rows(chain([] if first is None else [first], rows), stream, pool, most_open)
    return {name: counts[name] for name in ("rows", "pass", "fail", "not_run", "unreadable")}


async def _judge_rows(rows: Iterator[Row], stream: BinaryIO, pool: VerifierPool, most_open: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    opened: deque[asyncio.Task[tuple[str, Verdict]]] = deque()

    async def write_oldest() -> None:
        row_id, verdict = await opened[0]
        opened.popleft()
        counts.update(["rows", verdict.outcome] + ["unreadable"] * (verdict.reason == "unreadable_line"))
        stream.write(orjson.dumps(_line(row_id, verdict)) + b"\n")

    async with asyncio.TaskGroup() as group:
        for row in rows:
            opened.append(group.create_task(_judge(row, pool)))
            if len(opened) >= most_open:
                await write_oldest()
        while opened:
            await write_oldest()
    return counts


async def _judge(row: Row, pool: VerifierPool) -> tuple[str, Verdict]:
    if row.value is None:
        return str(row.line), not_run("unreadable_line", verifier="none", detail=row.error or "")
    try:
        request = request_of(row.value, row.line)
    except ValueError as error:
        return str(row.line), not_run("unreadable_line", verifier="none", detail=str(error))
    return request.id, await pool.verify(request)


def request_of(row: dict[str, Any], line: int) -> VerifyRequest:
    """The request in a row: an input row of `reasonmill verify`, or a row of an exported dataset. The id of a row
    without one is its line number. Raises ValueError that names the field.
    """
    response = row.get("response")
    if not isinstance(response, str):
        raise ValueError(f"response: expected text, found {type(response).__name__}")
    category = row.get("category")
    if not isinstance(category, str):
        raise ValueError(f"category: expected text, found {type(category).__name__}")
    row_id = row.get("id")
    return VerifyRequest(
        id=str(line if row_id is None else row_id),
        category=category,
        prompt=_prompt(row),
        response=response,
        ground_truth=_ground_truth(row.get("ground_truth")),
        test_case=_object_or_text(row, "test_case"),
        instruction_constrain=_object_or_text(row, "instruction_constrain"),
    )


def _prompt(row: dict[str, Any]) -> str:
    prompt = row.get("prompt")
    if isinstance(prompt, str):
        return prompt
    messages = row.get("messages") if prompt is None else prompt
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        turns = [m.get("content") for m in messages if isinstance(m, dict) and m.get("role") == "user"]
        return turns[-1] if turns and isinstance(turns[-1], str) else ""
    return ""


def _ground_truth(value: Any) -> str | None:
    """Gold answers come as text, numbers or truth values; anything else as its JSON text."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else orjson.dumps(value, default=str).decode()


def _object_or_text(row: dict[str, Any], field: str) -> dict[str, Any] | str | None:
    value = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, dict | str):
        return value
    raise ValueError(f"{field}: expected an object or its JSON text, found {type(value).__name__}")


def _line(row_id: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": row_id,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "verifier": verdict.verifier,
        "reason": verdict.reason,
        "duration_s": round(verdict.duration_s, 6),
    }
