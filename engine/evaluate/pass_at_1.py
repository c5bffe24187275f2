"""pass@1 of one teacher: every question is asked the same number of times and every answer is judged once.

A sample's seed depends on (seed, question, model, number) alone. Verification overlaps with generation.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

from reasonmill.engine.evaluate.prompts import PRESETS, Prompts, as_asked
from reasonmill.engine.evaluate.result import EvaluationResult, Judged, summarise
from reasonmill.engine.records import Attempt, Query, attempt_seed
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, Teacher, TeacherFault
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict

CHECK_RETRIES = 3  # of a check that could not be made and may be made yet


class Verifier(Protocol):
    """What judges; a VerifierPool."""

    async def verify(self, request: VerifyRequest) -> Verdict:
        """One verdict."""
        ...


async def pass_at_1(
    teacher: Teacher,
    questions: Sequence[Query],
    pool: Verifier,
    *,
    samples_per_question: int,
    seed: int,
    concurrency: int | None = None,
    prompts: Prompts = PRESETS["plain"],
    max_faults: int = 3,
) -> EvaluationResult:
    """Ask, judge and count; `concurrency` answers are open at once, the teacher's max_num_seqs by default.

    A question that the teacher refuses counts as wrong. Raises TeacherFault where the teacher fails more often than
    `max_faults` times on one sample, ValueError without questions.
    """
    if not questions:
        raise ValueError("there are no questions to evaluate on")
    asked = _Evaluation(teacher, pool, seed=seed, prompts=prompts, max_faults=max_faults)
    lanes = concurrency or teacher.max_num_seqs
    work = ((i, number) for number in range(1, samples_per_question + 1) for i in range(len(questions)))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(lanes):
                group.create_task(asked.lane(work, questions, group))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return summarise(teacher.name, asked.samples, samples_per_question)


class _Evaluation:
    def __init__(self, teacher: Teacher, pool: Verifier, *, seed: int, prompts: Prompts, max_faults: int) -> None:
        self._teacher = teacher
        self._pool = pool
        self._seed = seed
        self._prompts = prompts
        self._max_faults = max_faults
        self.samples: list[Judged] = []

    async def lane(self, work: Iterator[tuple[int, int]], questions: Sequence[Query], group: asyncio.TaskGroup) -> None:
        for index, number in work:
            question = questions[index]
            request = GenerationRequest(
                query_id=question.id,
                number=number,
                seed=attempt_seed(self._seed, question.id, self._teacher.name, number),
                messages=as_asked(question, self._prompts),
            )
            answer = await self._ask(request)
            if answer is None:
                self._count(index, question, right=False, answer=None)
            else:
                group.create_task(self._judge(index, question, request, answer))

    async def _ask(self, request: GenerationRequest) -> Generation | None:
        for faults in range(self._max_faults + 1):
            try:
                return await self._teacher.generate(request)
            except RequestRefused:
                return None
            except TeacherFault as fault:
                if faults == self._max_faults or getattr(fault, "final", False):
                    raise
        raise AssertionError("the loop above returns or raises")

    async def _judge(self, index: int, question: Query, request: GenerationRequest, answer: Generation) -> None:
        attempt = Attempt(
            query_id=question.id,
            teacher=self._teacher.name,
            number=request.number,
            seed=request.seed,
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            duration_s=answer.duration_s,
        )
        verdict = await self._pool.verify(attempt.request(question))
        for _ in range(CHECK_RETRIES):
            if not verdict.transient:
                break
            verdict = await self._pool.verify(attempt.request(question))
        right = None if verdict.outcome == "not_run" else verdict.outcome == "pass"
        self._count(index, question, right=right, answer=answer)

    def _count(self, index: int, question: Query, *, right: bool | None, answer: Generation | None) -> None:
        self.samples.append(
            Judged(
                question=index,
                source=question.source,
                right=right,
                completion_tokens=answer.completion_tokens if answer else 0,
                finished=answer is not None and answer.finish_reason == "stop",
            )
        )
