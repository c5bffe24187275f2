"""Behind `reasonmill verify`: judges a file of responses into a file of verdicts, line by line in the same order, with
a bounded number of rows in memory. The output appears under its name only when it is whole; one that was left
half-written can be continued.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.store.responses import told, turns_of
from reasonmill.engine.store.rows import Row, read_rows
from reasonmill.engine.verify_resume import Line, Output, continued_output
from reasonmill.engine.verify_summary import UNREADABLE, Summary
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run

_LEAST_OPEN_ROWS = 64
_OPEN_ROWS_PER_WORKER = 8  # enough that one slow row does not leave the workers behind it idle
_FLUSH_S = 1.0  # what a killed run may have to judge again
NO_CATEGORY = "(none)"

Judged = tuple[str, str, Verdict]  # id, category, verdict


async def judge_file(
    input: str | Path,
    output: str | Path,
    settings: VerifySettings,
    *,
    resume: bool = False,
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Judge every row of `input` (types of engine/store/rows.py) into JSON lines: id, outcome, score, verifier, reason,
    duration_s.

    A row that cannot be judged for what it is, is `not_run` with the reason `unreadable_line` and its line number as
    id. With `resume`, rows that a half-written output holds are not judged again. Raises FileNotFoundError or
    ValueError for an input file that is no such file, ValueError where the output belongs to another input.
    """
    rows = read_rows(input)
    first = next(rows, None)  # an input that is none is found before anything is written
    everything = chain([] if first is None else [first], rows)
    workers = settings.num_math_workers + settings.sandbox.num_slots
    most_open = max(_LEAST_OPEN_ROWS, _OPEN_ROWS_PER_WORKER * workers)
    summary = Summary()
    with continued_output(Path(output), resume=resume) as lines:
        for known in lines.known():
            _take_over(known, next(everything, None), summary, Path(output))
        async with VerifierPool(settings) as pool:
            await _judge_rows(everything, lines, pool, most_open, summary, on_progress)
    return summary


def _take_over(known: Line, row: Row | None, summary: Summary, output: Path) -> None:
    row_id, category = ("", "") if row is None else _identity(row)
    if row is None or known["id"] != row_id:
        found = "has no such row" if row is None else f"has {row_id!r} there"
        raise ValueError(
            f"--resume: line {summary.rows + 1} of {str(output)!r} has the id {known['id']!r}, the input {found}"
        )
    duration_s = known["duration_s"]
    summary.add_known(
        category,
        str(known["outcome"]),
        str(known["reason"]),
        float(duration_s) if isinstance(duration_s, int | float) else 0.0,
    )
    summary.resumed += 1


def _identity(row: Row) -> tuple[str, str]:
    """Id and category that the row's line of output has."""
    try:
        request = None if row.value is None else request_of(row.value, row.line)
    except ValueError:
        request = None
    return (str(row.line), NO_CATEGORY) if request is None else (request.id, request.category)


async def _judge_rows(
    rows: Iterator[Row],
    lines: Output,
    pool: VerifierPool,
    most_open: int,
    summary: Summary,
    on_progress: Callable[[Summary], None] | None,
) -> None:
    opened: deque[asyncio.Task[Judged]] = deque()
    flushed = time.monotonic()

    async def write_oldest() -> None:
        nonlocal flushed
        row_id, category, verdict = await opened[0]
        opened.popleft()
        summary.add(category, verdict)
        lines.write(_line(row_id, verdict))
        if time.monotonic() - flushed >= _FLUSH_S:
            flushed = time.monotonic()
            lines.flush()
            if on_progress is not None:
                on_progress(summary)

    async with asyncio.TaskGroup() as group:
        for row in rows:
            opened.append(group.create_task(_judge(row, pool)))
            if len(opened) >= most_open:
                await write_oldest()
        while opened:
            await write_oldest()


async def _judge(row: Row, pool: VerifierPool) -> Judged:
    if row.value is None:
        return str(row.line), NO_CATEGORY, not_run(UNREADABLE, verifier="none", detail=row.error or "")
    try:
        request = request_of(row.value, row.line)
    except ValueError as error:
        return str(row.line), NO_CATEGORY, not_run(UNREADABLE, verifier="none", detail=str(error))
    return request.id, request.category, await pool.verify(request)


def request_of(row: dict[str, Any], line: int) -> VerifyRequest:
    """The request in a row: an input row of `reasonmill verify`, or a row of a dataset in any form that `reasonmill
    export` writes. The id of a row without one is its line number. Raises ValueError that names the field.
    """
    response, prompt = _response_and_prompt(row)
    category = told(row, "category")
    if not isinstance(category, str):
        raise ValueError(f"category: expected text, found {type(category).__name__}")
    row_id = row.get("id")
    return VerifyRequest(
        id=str(line if row_id is None else row_id),
        category=category,
        prompt=prompt,
        response=response,
        ground_truth=_ground_truth(told(row, "ground_truth")),
        test_case=_object_or_text(row, "test_case"),
        instruction_constrain=_object_or_text(row, "instruction_constrain"),
    )


def _response_and_prompt(row: dict[str, Any]) -> tuple[str, str]:
    """The response, and the last question before it; the latter decides little, so that a conversation of another shape
    is no fault where the response stands apart.
    """
    response = row.get("response")
    if isinstance(response, str):
        return response, _prompt(row)
    if response is not None or not {"messages", "conversations"} & row.keys():
        raise ValueError(f"response: expected text, found {type(response).__name__}")
    *question, (_, response) = turns_of(row)
    return response, next((content for role, content in reversed(question) if role == "user"), "")


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
    if isinstance(value, int | float):
        return str(value)
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError as error:
        raise ValueError(f"ground_truth: {error}") from None


def _object_or_text(row: dict[str, Any], field: str) -> dict[str, Any] | str | None:
    value = told(row, field)
    if value is None or value == "":
        return None
    if isinstance(value, dict | str):
        return value
    raise ValueError(f"{field}: expected an object or its JSON text, found {type(value).__name__}")


def _line(row_id: str, verdict: Verdict) -> Line:
    return {
        "id": row_id,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "verifier": verdict.verifier,
        "reason": verdict.reason,
        "duration_s": round(verdict.duration_s, 6),
    }
