"""Asks every query of every teacher until a verifier accepts an answer. Each (query, teacher) pair is settled exactly
once: with the number of its accepted attempt, or with the reason why there is none and its best attempt.

A rejected attempt is asked again as soon as its turn comes and waits for nobody. A check that could not be made and a
teacher that failed cost no attempt. Every answer is in the journal before it is judged: what was paid for is not asked
again. A pair that failed `defer_after` times leaves memory and comes back from the journal when all queries were asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial

from reasonmill.engine.distill.budget import Budget
from reasonmill.engine.distill.conversation import messages_of_round
from reasonmill.engine.distill.dispatcher import Dispatcher, Place
from reasonmill.engine.distill.expectations import Expectations
from reasonmill.engine.distill.judging import MAX_CHECK_PAUSE_S, Judge
from reasonmill.engine.distill.open_queries import OpenQueries, OpenQuery, read_deferred
from reasonmill.engine.distill.pair import Pair, Settlement, judged
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Attempt, Reject, attempt_seed
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, Statement
from reasonmill.engine.teachers.protocol import GenerationRequest, RequestRefused, Teacher, TeacherFault
from reasonmill.verify.answer import split_response
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict

FAULT_PAUSE_S = 0.5  # first pause after a fault of a teacher; doubles up to MAX_FAULT_PAUSE_S
MAX_FAULT_PAUSE_S = 15.0
LATE_CHUNK = 64  # deferred queries that are read from the journal at once


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
        self._judge = Judge(verify, settings, quality, telemetry)
        self._journal = journal
        self._settings = settings
        self._run_seed = run_seed
        self._telemetry = telemetry
        self._on_retry = on_retry
        self._expect = Expectations()
        self._open = OpenQueries(settings, teachers, on_decided)
        self._unjudged = 0
        self._tasks: dict[tuple[Pair, int], asyncio.Task[None]] = {}

    async def run(self, queries: Channel[OpenQuery]) -> None:
        """Settle every pair of the channel's queries; returns when the channel has ended and all are settled."""
        spent = await self._journal.rows("SELECT coalesce(sum(completion_tokens), 0) FROM attempts")
        self._budget = Budget(self._settings, spent[0][0])
        async with asyncio.TaskGroup() as self._group:
            self._lanes = {
                name: Dispatcher(
                    teacher,
                    self._settings.ranking,
                    self._open.bound(),
                    ask=self._start,
                    may_ask=lambda: self._unjudged < self._settings.max_unjudged,
                )
                for name, teacher in self._teachers.items()
            }
            for name, lane in self._lanes.items():
                self._group.create_task(lane.run(), name=f"dispatch {name}")
            async for opened in queries:
                await self._open.room()
                await self._take_up(opened)
            for lane in self._lanes.values():
                lane.begin_drain()
            for pair, _ in list(self._tasks):
                self._rank(pair)
            await self._ask_deferred()
            await self._open.until_settled()
            for lane in self._lanes.values():
                lane.close()

    async def _ask_deferred(self) -> None:
        """Take up what was set aside, in query order, until nothing is open that could still be."""
        while True:
            ordinals = self._open.take_deferred(LATE_CHUNK)
            if not ordinals:
                if not self._open.may_defer():
                    return
                await self._open.changed()
                continue
            await self._journal.flush()
            for opened in await self._journal.read(partial(read_deferred, ordinals)):
                await self._open.room()
                await self._take_up(opened)

    async def _take_up(self, opened: OpenQuery) -> None:
        """Go on where the journal says that each pair stands, be it new or cut short at any point."""
        for pair in self._open.add(opened):
            for past in opened.attempts.get(pair.teacher, ()):
                self._note_length(pair, past.attempt, again=opened.late)
                if past.verdict is None or past.verdict.transient:
                    pair.open.add(past.attempt.number)
                    self._spawn(pair, past.attempt.number, self._judged(pair, past.attempt))
                else:
                    self._note_verdict(pair, past.attempt, past.verdict, again=opened.late)
            await self._go_on(pair)

    async def _go_on(self, pair: Pair, *before: Statement) -> None:
        """Say `before`, then what follows from the state of the pair: an end, a wait for open attempts, another one."""
        settlement = pair.settlement(self._settings)
        if settlement is not None:
            await self._settle(pair, settlement, *before)
            return
        if before:
            await self._journal.say(*before)
            if pair.ended:  # another of its attempts settled or deferred it meanwhile
                return
        for number in pair.losers(self._settings):
            self._cancel(pair, number)
            pair.open.discard(number)
        least = pair.first_unjudged()
        if least > 1:
            self._on_retry(pair.ordinal, least)
        if not pair.open and self._open.defers(pair, least):
            self._open.defer(pair)
            return
        self._rank(pair)

    def _rank(self, pair: Pair) -> None:
        """Put a pair where its teacher's next place finds it."""
        number = pair.next_number(self._settings)
        if number is None or pair.ended:
            return
        lane = self._lanes[pair.teacher]
        # a number below one that is open (a fault took it) decides before that one does: it is asked in any case
        if not pair.open or self._settings.mode == "k_pass" or number < max(pair.open):
            if not pair.queued:
                chance, tokens = self._expected(pair)
                lane.put(pair, pass_chance=chance, tokens=tokens, known=pair.history.answers > 0)
        elif lane.drain is not None and self._settings.drain and self._settings.mode == "until_verified":
            chance, tokens = self._expected(pair)
            lane.drain.put(pair, pass_chance=chance, tokens=tokens)
            lane.wake()

    def _expected(self, pair: Pair) -> tuple[float, float]:
        """Chance that the pair's next attempt is accepted, and its length in tokens."""
        teacher, category = pair.teacher, pair.query.category
        chance = self._expect.pass_chance(teacher, category, pair.history)
        return chance, self._expect.tokens(teacher, category, pair.history)

    def _start(self, pair: Pair, place: Place) -> None:
        """Ask the pair's next attempt in the place that its teacher's dispatcher has taken for it."""
        number = pair.next_number(self._settings)
        if number is None or pair.ended:
            place.free()
            return
        pair.open.add(number)
        self._spawn(pair, number, self._attempt(pair, number, place), place)
        if self._settings.mode == "k_pass" or place.lane.drain is not None:
            self._rank(pair)  # its other attempts, where several are asked at once

    def _spawn(self, pair: Pair, number: int, work: Coroutine[None, None, None], place: Place | None = None) -> None:
        task = self._group.create_task(work)
        self._tasks[pair, number] = task

        def ended(task: asyncio.Task[None]) -> None:  # also of a task that was cancelled before its first step
            if self._tasks.get((pair, number)) is task:
                del self._tasks[pair, number]
            if task.cancelled():
                pair.open.discard(number)
                self._rank(pair)  # where the number still counts, it is asked again
            if place is not None:
                place.free()

        task.add_done_callback(ended)

    def _cancel(self, pair: Pair, number: int) -> None:
        task = self._tasks.get((pair, number))
        if task is not None:
            self._telemetry.count("attempts_cancelled")
            task.cancel()

    async def _attempt(self, pair: Pair, number: int, place: Place) -> None:
        """One attempt from question to verdict; its place is free as soon as the answer is there."""
        reason = self._budget.exceeded()
        if reason is not None:
            pair.open.discard(number)
            await self._settle(pair, pair.given_up(reason))
            return
        attempt = await self._generate(place.lane.teacher, pair, number)
        place.free()
        if attempt is not None:
            await self._judged(pair, attempt)

    async def _generate(self, teacher: Teacher, pair: Pair, number: int) -> Attempt | None:
        """One answer, in the journal; None where there is none and the pair has been settled or put back."""
        category = pair.query.category
        request = GenerationRequest(
            query_id=pair.query.id,
            number=number,
            seed=attempt_seed(self._run_seed, pair.query.id, teacher.name, number),
            messages=messages_of_round(pair.query.messages, pair.answers.get(number - 1)),
            category=category,
            expected_tokens=self._expect.tokens(teacher.name, category, pair.history),
        )
        try:
            with self._telemetry.work("generate", teacher.name, query=pair.query.id, number=number):
                answer = await teacher.generate(request)
        except RequestRefused as refusal:
            pair.open.discard(number)
            if not pair.ended:
                await self._settle(pair, pair.given_up("refused", str(refusal)))
            return None
        except TeacherFault as fault:
            await self._put_back(pair, number, fault)
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # nobody asked for it: something inside the teacher was cancelled, and the answer is lost
            await self._put_back(pair, number, TeacherFault("the request was cancelled inside the teacher"))
            return None
        pair.faults.pop(number, None)
        self._budget.spend(answer.completion_tokens)
        self._telemetry.count("attempts")
        if number > 1:
            self._telemetry.count("retries")
        self._telemetry.count("generated_tokens", answer.completion_tokens)
        if answer.saved_tokens:
            self._telemetry.count("broken_off")
            self._telemetry.count("saved_tokens", answer.saved_tokens)
        attempt = Attempt(
            query_id=pair.query.id,
            teacher=teacher.name,
            number=number,
            seed=request.seed,
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            duration_s=answer.duration_s,
            replica=answer.replica,
            saved_tokens=answer.saved_tokens,
        )
        self._note_length(pair, attempt)
        await self._journal.say(ledger.insert_attempt(pair.ordinal, attempt))
        return attempt

    async def _put_back(self, pair: Pair, number: int, fault: TeacherFault) -> None:
        self._telemetry.count("teacher_faults")
        faults = pair.faults[number] = pair.faults.get(number, 0) + 1
        if getattr(fault, "final", False) or faults > self._settings.max_faults:
            raise fault
        await asyncio.sleep(min(FAULT_PAUSE_S * 2 ** (faults - 1), MAX_FAULT_PAUSE_S))
        pair.open.discard(number)
        if not pair.ended:
            self._rank(pair)

    async def _judged(self, pair: Pair, attempt: Attempt) -> None:
        """Judge an answer that is in the journal, and go on with its pair."""
        verdict, figures = await self._verdict(pair, attempt)
        while verdict.transient and not pair.ended and attempt.number > pair.first_unjudged():
            # a lower number may still be accepted: a check that was given up here settles nothing yet
            await asyncio.sleep(MAX_CHECK_PAUSE_S)
            verdict, figures = await self._verdict(pair, attempt)
        pair.open.discard(attempt.number)
        statement = ledger.judge(pair.ordinal, attempt, verdict, figures)
        if pair.ended:  # settled by a lower number while this one was judged
            await self._journal.say(statement)
        elif verdict.transient:
            await self._settle(pair, pair.given_up(verdict.reason, verdict.detail), statement)
        else:
            self._note_verdict(pair, attempt, verdict)
            await self._go_on(pair, statement)

    async def _verdict(self, pair: Pair, attempt: Attempt) -> tuple[Verdict, dict[str, float]]:
        self._unjudged += 1
        try:
            return await self._judge.judge(pair.query, attempt)
        finally:
            self._unjudged -= 1
            if self._unjudged == self._settings.max_unjudged - 1:
                for lane in self._lanes.values():
                    lane.wake()

    def _note_length(self, pair: Pair, attempt: Attempt, *, again: bool = False) -> None:
        tokens, category = attempt.completion_tokens, pair.query.category
        self._expect.note_length(pair.teacher, category, pair.history, tokens)
        if not again:
            self._expect.learn_length(pair.teacher, category, tokens)

    def _note_verdict(self, pair: Pair, attempt: Attempt, verdict: Verdict, *, again: bool = False) -> None:
        noted = judged(verdict, attempt.completion_tokens)
        if not again:
            self._telemetry.count(f"judged_{pair.query.category}")
        pair.judged[attempt.number] = noted
        pair.history.note_verdict(pair.teacher, accepted=noted.accepted)
        if not again:
            self._expect.learn_verdict(pair.teacher, pair.query.category, accepted=noted.accepted)
        if self._settings.mode == "multi_round":
            answer = split_response(attempt.text).answer
            pair.answers = {} if answer is None else {attempt.number: answer}

    async def _settle(self, pair: Pair, settlement: Settlement, *before: Statement) -> None:
        """The end of a pair, in one transaction with what led to it; attempts that are still open do not count."""
        if pair.ended:  # while the journal had no room for what led here
            await self._journal.say(*before)
            return
        pair.ended = True
        for number in list(pair.open):
            self._cancel(pair, number)
        end = ledger.settle(pair.ordinal, pair.teacher, settlement.accepted, settlement.last, settlement.reason)
        statements = [*before, end]
        if settlement.accepted is None:
            self._telemetry.count("unanswered")
            statements.append(ledger.insert_reject(_unanswered(pair, settlement)))
        else:
            accepted = [judged for judged in pair.judged.values() if judged.accepted]
            tokens = [pair.judged[settlement.accepted].tokens]
            if self._settings.mode == "k_pass":
                tokens = [judged.tokens for judged in accepted]
            self._telemetry.count("accepted", len(tokens))
            self._telemetry.count("accepted_tokens", sum(tokens))
            self._telemetry.count(f"accepted_{pair.query.category}", len(tokens))
        await self._journal.say(*statements)
        self._open.settled(pair)


def _unanswered(pair: Pair, settlement: Settlement) -> Reject:
    return Reject(
        query_id=pair.query.id,
        teacher=pair.teacher,
        stage="attempt",
        reason=settlement.reason,
        evidence={
            "attempts": settlement.last,
            "detail": settlement.detail,
            "best_attempt": settlement.best,
            "best_score": settlement.best_score,
        },
    )
