"""Whether an answer is right. A verdict that is on disk, made by the same check, is not made again; a check that could
not be made is never a verdict.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson
import xxhash

from reasonmill.engine.evaluate.answers import Answer, AnswerFile
from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.records import Attempt, Query
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict

CHECK_RETRIES = 3  # of a check that could not be made and may be made yet
CHECK_PAUSE_S = 0.5  # before the first of them; doubles


class Verifier(Protocol):
    """What judges; a VerifierPool."""

    async def verify(self, request: VerifyRequest) -> Verdict:
        """One verdict."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """An answer that is there; its text is read when it is needed."""

    finish_reason: str
    completion_tokens: int
    words: tuple[int, ...]
    read: Callable[[], str]
    stored: Answer | None


class Judging:
    """The checks of one benchmark; `check` names how they are made."""

    def __init__(self, pool: Verifier, benchmark: Benchmark, *, check: str, answers: AnswerFile | None) -> None:
        self._pool = pool
        self._benchmark = benchmark
        self._answers = answers
        self._checks = [_check_of(check, question) for question in benchmark.questions]

    async def right(self, index: int, number: int, given: Given) -> bool | None:
        """Whether sample `number` of question `index` is right; None where that could not be found out."""
        check, stored = self._checks[index], given.stored
        if stored is not None and stored.checked is not None and stored.checked[0] == check:
            return stored.checked[1]
        verdict = await self._verdict(index, number, given)
        if verdict.outcome == "not_run":
            return None
        right = verdict.outcome == "pass"
        if stored is not None and self._answers is not None:
            facts = {"score": verdict.score, "verifier": verdict.verifier, "reason": verdict.reason}
            self._answers.add_verdict(stored, check=check, right=right, **facts)
        return right

    async def _verdict(self, index: int, number: int, given: Given) -> Verdict:
        if given.finish_reason not in ("stop", "length", "abort"):  # broken off in a loop: there is no end to check
            return Verdict(outcome="fail", score=0.0, verifier="stream", reason=given.finish_reason)
        question = self._benchmark.questions[index]
        request = Attempt(
            query_id=question.id,
            teacher="evaluate",
            number=number,
            seed=0,
            text=given.read(),
            finish_reason=given.finish_reason,
            prompt_tokens=0,
            completion_tokens=given.completion_tokens,
            duration_s=0.0,
        ).request(question)
        verdict = await self._pool.verify(request)
        for tries in range(CHECK_RETRIES):
            if not verdict.transient:
                break
            await asyncio.sleep(CHECK_PAUSE_S * 2**tries)
            verdict = await self._pool.verify(request)
        return verdict


def _check_of(check: str, question: Query) -> str:
    """Names the check of a question's answers: how they are judged and what they are held against."""
    parts = (check, question.category, question.ground_truth, question.test_case, question.instruction_constrain)
    return str(xxhash.xxh3_64_hexdigest(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)))
