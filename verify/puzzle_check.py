"""Verdicts on puzzles: a query whose test case is an entry of a reasoning-gym data set is scored by that data set's own
scorer, since most puzzles have many right answers. The entry is tried first: one whose own answer is not right for its
scorer decides nothing.
"""

import json
import math
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from reasonmill.verify.answer import split_response
from reasonmill.verify.boxes import last_boxed
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import PuzzleSettings
from reasonmill.verify.verdict import Verdict, not_run, scored
from reasonmill.verify.worker_pool import WorkerLimits, WorkerPool

VERIFIER = "reasoning_gym"
CALL_TYPE = "reasoning_gym"


@dataclass(frozen=True, kw_only=True, slots=True)
class Puzzle:
    """An entry of a reasoning-gym data set: {"question", "answer", "metadata"}."""

    dataset: str
    entry: dict[str, Any]


def read_puzzle(test_case: dict[str, Any] | str | None) -> Puzzle | None:
    """The puzzle of {"call_type": "reasoning_gym", "dataset": …, "entry": {…}}, of an entry as reasoning-gym makes it
    (its metadata name the data set), or of either as JSON text. None for any other test case. Raises ValueError for a
    puzzle that is not whole.
    """
    value = _object(test_case)
    if value is None:
        return None
    entry = value.get("entry", value)
    metadata = entry.get("metadata") if isinstance(entry, dict) else None
    source = metadata.get("source_dataset") if isinstance(metadata, dict) else None
    if value.get("call_type", "") != CALL_TYPE and ("call_type" in value or source is None):
        return None
    if not isinstance(metadata, dict):
        raise ValueError("test_case: entry: expected an object with metadata")
    dataset = value.get("dataset", source)
    if not isinstance(dataset, str) or not dataset:
        raise ValueError(f"test_case: dataset: expected a name, found {str(dataset)[:100]!r}")
    if entry.get("answer") is not None and not isinstance(entry["answer"], str):
        raise ValueError(f"test_case: entry: answer: expected text, found {type(entry['answer']).__name__}")
    return Puzzle(dataset=dataset, entry=entry)


def _object(test_case: dict[str, Any] | str | None) -> dict[str, Any] | None:
    if isinstance(test_case, str) and ("metadata" in test_case or CALL_TYPE in test_case):
        try:
            test_case = json.loads(test_case)
        except (ValueError, RecursionError):
            return None
    return test_case if isinstance(test_case, dict) else None


class PuzzleChecker:
    """Scores answers to puzzles in worker processes."""

    def __init__(self, settings: PuzzleSettings) -> None:
        self._workers = WorkerPool(
            "reasonmill.verify.puzzle_worker",
            WorkerLimits(
                workers=settings.num_workers,
                limit_s=settings.limit_s,
                memory_mib=settings.memory_mib,
                recycle_mib=settings.recycle_mib,
            ),
        )

    async def close(self) -> None:
        """Kill all workers."""
        await self._workers.close()

    async def check(self, request: VerifyRequest, puzzle: Puzzle) -> Verdict:
        """The verdict on the last box of the finished answer part, or on all of it where there is none."""
        if find_spec("reasoning_gym") is None:
            detail = "not installed: reasoning_gym; pip install 'reasonmill[quickstart]'"
            return not_run("no_verifier", verifier=VERIFIER, detail=detail)
        parts = split_response(request.response)
        if not parts.finished:
            return scored(0.0, verifier=VERIFIER, reason="unfinished")
        part = parts.answer or ""
        boxed = last_boxed(part)
        text = part.strip() if boxed is None else boxed
        if not text:
            return scored(0.0, verifier=VERIFIER, reason="no_answer")
        answer = await self._workers.ask({"dataset": puzzle.dataset, "entry": puzzle.entry, "answer": text})
        told = answer.told
        verdict = _failed(answer.failure, answer.detail) if told is None else self._verdict(told)
        return replace(verdict, duration_s=answer.duration_s)

    def _verdict(self, told: dict[str, Any]) -> Verdict:
        detail = told.get("detail", "")
        match told["result"]:
            case "scored" if math.isfinite(told["score"]):
                verdict = scored(min(1.0, max(0.0, told["score"])), verifier=VERIFIER, reason="ok")
                return verdict if verdict.outcome == "pass" else replace(verdict, reason="wrong_answer")
            case "refused":
                return scored(0.0, verifier=VERIFIER, reason="wrong_answer", detail=detail)
            case "out_of_memory":
                return scored(0.0, verifier=VERIFIER, reason="memory_limit", detail=detail)
            case "over_limit" | "entry_over_limit" as result:
                failure, _ = self._workers.overrun(told["cpu_s"])
                if failure == "time_limit" and result == "entry_over_limit":
                    return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail)
                return _failed(failure, detail)
            case "bad_entry":
                return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail)
            case "unknown_puzzle":
                return not_run("no_verifier", verifier=VERIFIER, detail=detail)
            case _:
                return not_run("checker_failed", verifier=VERIFIER, detail=detail or f"score {told.get('score')}")


def _failed(failure: str, detail: str) -> Verdict:
    if failure == "time_limit":
        return scored(0.0, verifier=VERIFIER, reason=failure, detail=detail)
    return not_run(failure, verifier=VERIFIER, detail=detail)
