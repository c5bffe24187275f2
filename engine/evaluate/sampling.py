"""Asks every question of a benchmark the same number of times, in one or several rounds, and judges every answer once.

What is asked depends on (seed, question, sample number, round) and, from the second round on, on the answer before it:
never on who else asks. With an AnswerFile each answer is on disk before it is judged and is not asked for again, and a
sound verdict is not made again. Verification overlaps with generation; what waits for it is bounded.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from reasonmill.engine.distill.conversation import messages_of_round
from reasonmill.engine.evaluate.answers import AnswerFile, key_of
from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.judging import Given, Judging, Verifier
from reasonmill.engine.evaluate.prompts import Prompts, as_asked
from reasonmill.engine.evaluate.result import Judged
from reasonmill.engine.quality.marker_words import count_words
from reasonmill.engine.records import Message, Query, attempt_seed
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, Teacher, TeacherFault
from reasonmill.verify.answer import split_response

FAULT_PAUSE_S = 0.5  # before a sample is asked again after a fault; doubles up to MAX_FAULT_PAUSE_S
MAX_FAULT_PAUSE_S = 15.0
MAX_UNJUDGED = 256  # answers that wait for their verdict before asking waits for them


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a benchmark is asked. `check` names how answers are judged: a verdict on disk counts if it was made so."""

    benchmark: Benchmark
    seed: int
    prompts: Prompts
    rounds: int = 1
    max_faults: int = 3
    concurrency: int | None = None  # None: the teacher's max_num_seqs
    check: str = ""


class Sampling:
    """One benchmark put to one teacher; `teacher` is None where every answer is on disk."""

    def __init__(
        self, teacher: Teacher | None, pool: Verifier, plan: Plan, *, answers: AnswerFile | None = None
    ) -> None:
        self._teacher = teacher
        self._plan = plan
        self._answers = answers
        self._asked = [as_asked(question, plan.prompts) for question in plan.benchmark.questions]
        self._judging = Judging(pool, plan.benchmark, check=plan.check, answers=answers)
        self._open = 0
        self._unjudged = 0
        self._changed = asyncio.Event()
        self.samples: list[Judged] = []
        self.refusals: list[str] = []  # what the teacher said, the first of each sample
        self.generated_tokens = 0  # of answers that were not on disk

    @property
    def num_samples(self) -> int:
        """Samples that there will be, of all rounds."""
        benchmark = self._plan.benchmark
        return len(benchmark.questions) * benchmark.samples_per_question * self._plan.rounds

    def complete(self) -> bool:
        """Whether every answer is on disk, so that nobody has to be asked."""
        return all(self._on_disk(index, number) for index, number in self._work())

    async def run(self) -> list[Judged]:
        """All samples. Raises TeacherFault where the teacher fails more often than `max_faults` times on one sample,
        OSError where an answer cannot be written, ValueError without questions.
        """
        if not self._plan.benchmark.questions:
            raise ValueError("there are no questions to evaluate on")
        if self._teacher is not None:
            self._teacher.watch(self._changed.set)
        try:
            async with asyncio.TaskGroup() as group:
                for index, number in self._work():
                    await self._room()
                    self._open += 1
                    group.create_task(self._sample(index, number, group))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return self.samples

    def _work(self) -> Iterator[tuple[int, int]]:
        """Questions and sample numbers: the first sample of every question, then the second of every one."""
        benchmark = self._plan.benchmark
        for number in range(1, benchmark.samples_per_question + 1):
            for index in range(len(benchmark.questions)):
                yield index, number

    async def _room(self) -> None:
        while self._open >= self._limit() or self._unjudged >= MAX_UNJUDGED:
            self._changed.clear()
            await self._changed.wait()

    def _limit(self) -> int:
        if self._plan.concurrency is not None or self._teacher is None:
            return self._plan.concurrency or MAX_UNJUDGED
        return self._teacher.max_num_seqs

    def _seed(self, question: Query, number: int, round_number: int) -> int:
        return attempt_seed(self._plan.seed, question.id, f"round {round_number}", number)

    def _on_disk(self, index: int, number: int) -> bool:
        question, last = self._plan.benchmark.questions[index], None
        for round_number in range(1, self._plan.rounds + 1):
            messages = messages_of_round(self._asked[index], last)
            found = self._answers and self._answers.find(key_of(messages, self._seed(question, number, round_number)))
            if not found:
                return False
            if round_number < self._plan.rounds:
                assert self._answers is not None, "found in no file"
                last = _carried(found.finish_reason, self._answers.text(found))
        return True

    async def _sample(self, index: int, number: int, group: asyncio.TaskGroup) -> None:
        """All rounds of one sample; its place is free when the last answer is there."""
        last: str | None = None
        try:
            for round_number in range(1, self._plan.rounds + 1):
                given = await self._answer(index, number, round_number, messages_of_round(self._asked[index], last))
                if given is None:  # nor will it answer what follows
                    for left in range(round_number, self._plan.rounds + 1):
                        self._count(index, number, left, right=False, given=None)
                    return
                self._unjudged += 1
                group.create_task(self._judge(index, number, round_number, given))
                if round_number < self._plan.rounds:
                    last = _carried(given.finish_reason, given.read())
        finally:
            self._open -= 1
            self._changed.set()

    async def _answer(self, index: int, number: int, round_number: int, messages: tuple[Message, ...]) -> Given | None:
        question = self._plan.benchmark.questions[index]
        seed = self._seed(question, number, round_number)
        key = key_of(messages, seed)
        stored = self._answers.find(key) if self._answers is not None else None
        if stored is None:
            request = GenerationRequest(
                query_id=question.id, number=number, seed=seed, messages=messages, category=question.category
            )
            generation = await self._ask(request)
            if generation is None:
                return None
            self.generated_tokens += generation.completion_tokens
            words = count_words(generation.text)
            if self._answers is None:
                return Given(
                    finish_reason=generation.finish_reason,
                    completion_tokens=generation.completion_tokens,
                    words=words,
                    read=lambda: generation.text,
                    stored=None,
                )
            facts = {
                "benchmark": self._plan.benchmark.name,
                "question": question.id,
                "number": number,
                "round": round_number,
            }
            stored = self._answers.add(key, facts, generation, words)
        file, found = self._answers, stored
        assert file is not None, "stored without a file"
        return Given(
            finish_reason=found.finish_reason,
            completion_tokens=found.completion_tokens,
            words=found.words,
            read=lambda: file.text(found),
            stored=found,
        )

    async def _ask(self, request: GenerationRequest) -> Generation | None:
        assert self._teacher is not None, "an answer is not on disk and there is nobody to ask"
        for faults in range(self._plan.max_faults + 1):
            try:
                return await self._teacher.generate(request)
            except RequestRefused as refusal:
                self.refusals.append(str(refusal))
                return None
            except TeacherFault as fault:
                if faults == self._plan.max_faults or getattr(fault, "final", False):
                    raise
            await asyncio.sleep(min(FAULT_PAUSE_S * 2**faults, MAX_FAULT_PAUSE_S))
        raise AssertionError("the loop above returns or raises")

    async def _judge(self, index: int, number: int, round_number: int, given: Given) -> None:
        try:
            right = await self._judging.right(index, number, given)
        finally:
            self._unjudged -= 1
            self._changed.set()
        self._count(index, number, round_number, right=right, given=given)

    def _count(self, index: int, number: int, round_number: int, *, right: bool | None, given: Given | None) -> None:
        self.samples.append(
            Judged(
                question=index,
                source=self._plan.benchmark.questions[index].source,
                right=right,
                completion_tokens=given.completion_tokens if given else 0,
                finished=given is not None and given.finish_reason == "stop",
                number=number,
                round=round_number,
                words=given.words if given else (),
                refused=given is None,
            )
        )


def _carried(finish_reason: str, text: str) -> str | None:
    """The answer that the next round is given; None where the round came to none."""
    response = split_response(text)
    return response.answer if finish_reason == "stop" and response.finished and response.answer else None
