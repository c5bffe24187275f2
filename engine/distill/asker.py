"""Asks every query of every teacher until a verifier accepts an answer. Each (query, teacher) pair is settled exactly
once: with the number of its accepted attempt, or with the reason why there is none.

A rejected attempt is asked again at once and waits for nobody. A check that could not be made and a teacher that
failed cost no attempt. Every answer is in the journal before it is judged: what was paid for is not asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from reasonmill.engine.distill.ready_queue import ReadyQueue
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.assess import assess
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Attempt, Query, Reject, attempt_seed
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, Statement
from reasonmill.engine.teachers.protocol import GenerationRequest, RequestRefused, Teacher, TeacherFault
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict, not_run

FAULT_PAUSE_S = 0.5  # first pause after a fault of a teacher; doubles up to MAX_FAULT_PAUSE_S
MAX_FAULT_PAUSE_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenQuery:
    """A query to ask, with the teachers that are to answer it."""

    ordinal: int
    query: Query
    teachers: tuple[str, ...]


@dataclass(kw_only=True, slots=True)
class _Pair:
    """State of one (query, teacher) pair between attempts."""

    ordinal: int
    query: Query
    teacher: str
    number: int = 1  # of the attempt to ask next
    faults: int = 0


class Asker:
    """The retry-until-verified loop over all teachers."""

    def __init__(
        self,
        *,
        teachers: Mapping[str, Teacher],
        verify: Callable[[VerifyRequest], Awaitable[Verdict]],
        journal: Journal,
        settings: AttemptSettings,
        quality: QualitySettings,
        run_seed: int,
        telemetry: Telemetry,
        on_decided: Callable[[int], None],
        on_retry: Callable[[int, int], None],
    ) -> None:
        self._teachers = teachers
        self._check = verify
        self._journal = journal
        self._settings = settings
        self._quality = quality
        self._run_seed = run_seed
        self._telemetry = telemetry
        self._on_decided = on_decided
        self._on_retry = on_retry
        self._ready: dict[str, ReadyQueue[_Pair]] = {name: ReadyQueue() for name in teachers}
        self._room = asyncio.Semaphore(settings.max_open_queries)
        self._undecided: dict[int, int] = {}  # teachers still open, by ordinal
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, queries: Channel[OpenQuery]) -> None:
        """Settle every pair of the channel's queries; returns when the channel has ended and all are settled."""
        async with asyncio.TaskGroup() as group:
            for name, teacher in self._teachers.items():
                for lane in range(teacher.max_num_seqs):
                    group.create_task(self._ask_in_lane(teacher, group), name=f"ask {name} {lane}")
            async for opened in queries:
                await self._room.acquire()
                self._idle.clear()
                self._undecided[opened.ordinal] = len(opened.teachers)
                for name in opened.teachers:
                    pair = _Pair(ordinal=opened.ordinal, query=opened.query, teacher=name)
                    group.create_task(self._take_up(pair), name=f"take up {opened.query.id} {name}")
            await self._idle.wait()
            for ready in self._ready.values():
                await ready.close()

    async def _take_up(self, pair: _Pair) -> None:
        """Go on where the journal says that the pair stands, be it new or cut short at any point."""
        known = await self._journal.read(lambda c: ledger.read_attempts(c, pair.ordinal, pair.teacher))
        for past in known:
            pair.number = past.attempt.number
            if past.verdict is None or past.verdict.transient:
                await self._judge(pair, past.attempt)
                return
            if past.verdict.outcome == "pass":
                await self._settle(pair, pair.number, "ok")
                return
            if past.verdict.final:
                await self._settle(pair, None, past.verdict.reason, detail=past.verdict.detail)
                return
        if known:
            await self._next_or_give_up(pair, known[-1].verdict)
        else:
            await self._ready[pair.teacher].put(pair.ordinal, pair)

    async def _ask_in_lane(self, teacher: Teacher, group: asyncio.TaskGroup) -> None:
        """One place in the teacher's batch: asks the oldest ready attempt, hands it to judging, takes the next."""
        while (pair := await self._ready[teacher.name].get()) is not None:
            attempt = await self._generate(teacher, pair)
            if attempt is not None:
                group.create_task(self._judge(pair, attempt), name=f"judge {pair.query.id} {pair.teacher}")

    async def _generate(self, teacher: Teacher, pair: _Pair) -> Attempt | None:
        """One answer, in the journal; None where there is none and the pair has been settled or put back."""
        request = GenerationRequest(
            query_id=pair.query.id,
            number=pair.number,
            seed=attempt_seed(self._run_seed, pair.query.id, teacher.name, pair.number),
            messages=pair.query.messages,
        )
        try:
            with self._telemetry.work("generate", teacher.name, query=pair.query.id, number=pair.number):
                answer = await teacher.generate(request)
        except RequestRefused as refusal:
            await self._settle(pair, None, "refused", detail=str(refusal))
            return None
        except TeacherFault as fault:
            await self._put_back(pair, fault)
            return None
        pair.faults = 0
        attempt = Attempt(
            query_id=pair.query.id,
            teacher=teacher.name,
            number=pair.number,
            seed=request.seed,
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            duration_s=answer.duration_s,
        )
        self._telemetry.count("attempts")
        self._telemetry.count("generated_tokens", answer.completion_tokens)
        await self._journal.say(ledger.insert_attempt(pair.ordinal, attempt))
        return attempt

    async def _put_back(self, pair: _Pair, fault: TeacherFault) -> None:
        self._telemetry.count("teacher_faults")
        pair.faults += 1
        if getattr(fault, "final", False) or pair.faults > self._settings.max_faults:
            raise fault
        await asyncio.sleep(min(FAULT_PAUSE_S * 2 ** (pair.faults - 1), MAX_FAULT_PAUSE_S))
        await self._ready[pair.teacher].put(pair.ordinal, pair)

    async def _judge(self, pair: _Pair, attempt: Attempt) -> None:
        verdict = await self._verify(pair.query, attempt)
        figures: dict[str, float] = {}
        if verdict.outcome == "pass":
            verdict, figures = assess(attempt, verdict, self._quality)
        statement = ledger.judge(pair.ordinal, attempt, verdict, figures)
        if verdict.outcome == "pass":
            self._telemetry.count("accepted")
            self._telemetry.count("accepted_tokens", attempt.completion_tokens)
            await self._settle(pair, attempt.number, "ok", statement)
        elif verdict.final or verdict.transient:
            await self._settle(pair, None, verdict.reason, statement, detail=verdict.detail)
        else:
            await self._journal.say(statement)
            await self._next_or_give_up(pair, verdict)

    async def _verify(self, query: Query, attempt: Attempt) -> Verdict:
        """The verdict; a check that failed for reasons of its own is made again a few times."""
        verdict = not_run("worker_died", verifier="none")
        for number in range(self._settings.max_check_retries + 1):
            with self._telemetry.work("verify", query.category, query=query.id, number=attempt.number):
                verdict = await self._check(attempt.request(query))
            if not verdict.transient:
                break
            self._telemetry.count("checks_repeated")
            await asyncio.sleep(FAULT_PAUSE_S * 2**number)
        if verdict.score is None:
            return verdict
        return replace(verdict, outcome="pass" if verdict.score >= self._settings.threshold else "fail")

    async def _next_or_give_up(self, pair: _Pair, last: Verdict | None) -> None:
        if pair.number >= self._settings.max_attempts:
            await self._settle(pair, None, last.reason if last else "unfinished", detail=f"{pair.number} attempts")
            return
        pair.number += 1
        self._on_retry(pair.ordinal, pair.number)
        await self._ready[pair.teacher].put(pair.ordinal, pair)

    async def _settle(self, pair: _Pair, number: int | None, reason: str, *before: Statement, detail: str = "") -> None:
        statements = [*before, ledger.settle(pair.ordinal, pair.teacher, number, pair.number, reason)]
        if number is None:
            self._telemetry.count("unanswered")
            reject = Reject(
                query_id=pair.query.id,
                teacher=pair.teacher,
                stage="attempt",
                reason=reason,
                evidence={"attempts": pair.number, "detail": detail},
            )
            statements.append(ledger.insert_reject(reject))
        await self._journal.say(*statements)
        self._undecided[pair.ordinal] -= 1
        if self._undecided[pair.ordinal] == 0:
            del self._undecided[pair.ordinal]
            self._room.release()
            self._on_decided(pair.ordinal)
            if not self._undecided:
                self._idle.set()
