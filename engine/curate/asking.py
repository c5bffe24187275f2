"""Questions about queries to a language model, through the teachers' interface: one answer each, or why there is none.

What cannot be answered (a model that refuses, or whose answers cannot be read) is never taken for an answer: the query
stays as it is, and the counts say how many there were. The answer to a question that was asked is a function of the
model, the question and the query, so that the order of asking does not matter.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Message, Query, attempt_seed
from reasonmill.engine.teachers.protocol import GenerationRequest, RequestRefused, Teacher, TeacherFault

A = TypeVar("A")

_PAUSE_S = 0.5  # after a fault of the model, doubled up to 30 s


@dataclass(frozen=True, kw_only=True, slots=True)
class Question(Generic[A]):
    """What is asked of each query: `ask` makes the text, `read` finds the answer in the reply, or None."""

    name: str
    ask: Callable[[Query], str]
    read: Callable[[str], A | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer(Generic[A]):
    """`value`, or None and the reason why there is none."""

    value: A | None
    reason: str = ""


async def ask_all(
    teacher: Teacher, question: Question[A], queries: Sequence[Query], *, max_asked: int, max_faults: int
) -> list[Answer[A]]:
    """An answer for each query, in order.

    A reply that cannot be read is asked for again with another seed, `max_asked` times in all. Raises RunFailed after
    `max_faults` faults of the model in a row on one query.
    """
    room = asyncio.Semaphore(max(1, teacher.max_num_seqs))
    answers: list[Answer[A] | None] = [None] * len(queries)
    waiting = iter(range(len(queries)))

    async def work() -> None:
        for index in waiting:  # shared: each worker takes the next
            async with room:
                answers[index] = await _ask(teacher, question, queries[index], max_asked, max_faults)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(queries), max(1, teacher.max_num_seqs))):
                group.create_task(work(), name=f"ask {question.name}")
    except BaseExceptionGroup as failures:  # the first failure; the others are its consequences
        raise failures.exceptions[0] from None
    assert all(answer is not None for answer in answers), "every query was asked about"
    return [answer for answer in answers if answer is not None]


async def _ask(teacher: Teacher, question: Question[A], query: Query, max_asked: int, max_faults: int) -> Answer[A]:
    text = question.ask(query)
    for number in range(1, max_asked + 1):
        request = GenerationRequest(
            query_id=f"{question.name}/{query.id}",
            number=number,
            seed=attempt_seed(0, query.id, question.name, number),
            messages=(Message(role="user", content=text),),
            category=query.category,
        )
        try:
            reply = await _generate(teacher, request, max_faults)
        except RequestRefused as refusal:
            return Answer(value=None, reason=f"refused: {refusal}")
        value = question.read(reply)
        if value is not None:
            return Answer(value=value)
    return Answer(value=None, reason=f"{max_asked} replies could not be read")


async def _generate(teacher: Teacher, request: GenerationRequest, max_faults: int) -> str:
    pause_s = _PAUSE_S
    for faults in range(1, max_faults + 1):
        try:
            return (await teacher.generate(request)).text
        except TeacherFault as fault:
            if faults == max_faults:
                raise RunFailed(f"{teacher.name} failed {faults} times in a row; the last time: {fault}") from fault
        await asyncio.sleep(pause_s)
        pause_s = min(30.0, 2.0 * pause_s)
    raise AssertionError("max_faults is positive")
