"""Verifies responses, many at once: each request gets one verdict, within a deadline that starts when its check does.

Cheap rules run here; algebra and the checkers of constraints run in worker processes and programs in sandbox slots, all
started when first needed (by exec, so that threads and a CUDA context of this process are not inherited), killed when
they overrun and replaced when they die. A request never raises for what is wrong with it: the verdict says so. A
cancelled request kills its check.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType

from reasonmill.verify.answer_check import AnswerChecker
from reasonmill.verify.child import ChildDied
from reasonmill.verify.code_tests import check_program
from reasonmill.verify.instruction_check import InstructionChecker
from reasonmill.verify.judge import Judge
from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.puzzle_check import PuzzleChecker, read_puzzle
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.reward import RewardChecker
from reasonmill.verify.sandbox.slots import SandboxMissing, SlotPool
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run

RULE_CATEGORIES = ("math", "science", "other")  # categories whose ground truth, if there is one, rules can compare
RATED_CATEGORIES = ("multiturn", "other")  # categories that a reward model rates where no rule applies
_LEAST_OPEN = 64
_OPEN_PER_WORKER = 8  # enough that one slow request does not leave the workers behind it idle


class VerifierPool:
    """`async with VerifierPool(settings) as pool`; then any number of tasks `await pool.verify(request)`."""

    def __init__(self, settings: VerifySettings) -> None:
        self._settings = settings
        self._math = MathPool(settings)
        self._slots = SlotPool(settings.sandbox)
        self._judge = None if settings.judge is None else Judge(settings.judge)
        self._instructions = InstructionChecker(settings.instructions)
        self._puzzles = PuzzleChecker(settings.puzzles)
        self._reward = None if settings.reward is None else RewardChecker(settings.reward)
        self._answers = AnswerChecker(settings, self._math, self._judge)

    async def __aenter__(self) -> "VerifierPool":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        parts = (self._math, self._slots, self._instructions, self._puzzles, self._reward, self._judge)
        closing = [part.close() for part in parts if part is not None]
        await asyncio.shield(asyncio.gather(*closing))

    @property
    def sandbox_available(self) -> str | None:
        """None if programs can be run as far as is known, else the reason why not. Certain after `probe_sandbox`, or
        after the first program.
        """
        return self._slots.missing

    async def probe_sandbox(self) -> str | None:
        """Start a slot and see whether it contains a probe; None if so, else the reason why not."""
        try:
            async with self._slots.lease():
                return None
        except (SandboxMissing, ChildDied) as error:
            return str(error)

    async def verify(self, request: VerifyRequest) -> Verdict:
        """The verdict; its duration is that of the check, without the time it waited for a worker."""
        started = time.perf_counter()
        verdict = await self._verify(request)
        return verdict if verdict.duration_s else replace(verdict, duration_s=time.perf_counter() - started)

    async def judge_alone(self, request: VerifyRequest) -> Verdict:
        """What the judge of the settings says of a request, whatever the rules say."""
        return await self._answers.judge(request)

    async def verify_all(
        self,
        requests: Iterable[VerifyRequest] | AsyncIterable[VerifyRequest],
        *,
        in_order: bool = True,
        max_open: int | None = None,
    ) -> AsyncIterator[tuple[VerifyRequest, Verdict]]:
        """Each request with its verdict, in the order of the requests or as they come. At most `max_open` requests are
        held at once, so that memory does not grow with their number.
        """
        most = max_open or max(_LEAST_OPEN, _OPEN_PER_WORKER * self.num_workers)
        opened: list[asyncio.Task[tuple[VerifyRequest, Verdict]]] = []
        try:
            async with aclosing(_each(requests)) as source:
                async for request in source:
                    opened.append(asyncio.create_task(self._pair(request)))
                    while len(opened) >= most:
                        yield await _next(opened, in_order=in_order)
            while opened:
                yield await _next(opened, in_order=in_order)
        finally:
            for task in opened:
                task.cancel()
            await asyncio.gather(*opened, return_exceptions=True)

    @property
    def algebra_pids(self) -> list[int]:
        """Process ids of the algebra workers that are alive."""
        return self._math.pids

    async def settled(self) -> None:
        """Return when no worker is being replaced."""
        await self._math.settled()

    @property
    def num_workers(self) -> int:
        """Processes that this pool runs when all of it is busy."""
        return self._settings.num_math_workers + self._settings.sandbox.num_slots

    async def _pair(self, request: VerifyRequest) -> tuple[VerifyRequest, Verdict]:
        return request, await self.verify(request)

    async def _verify(self, request: VerifyRequest) -> Verdict:
        if request.category == "code":
            return await check_program(request, self._slots, self._settings)
        if request.category == "if":
            return await self._instructions.check(request)
        try:
            puzzle = read_puzzle(request.test_case)
        except ValueError as error:
            return not_run("unverifiable_gold", verifier="reasoning_gym", detail=str(error))
        if puzzle is not None:
            return await self._puzzles.check(request, puzzle)
        has_gold = bool((request.ground_truth or "").strip())
        if request.category == "math" or (request.category in RULE_CATEGORIES and has_gold):
            return await self._answers.check(request)
        if self._reward is not None and request.category in RATED_CATEGORIES:
            return await self._reward.check(request)
        detail = f"no rule verifies the category {request.category!r}" + ("" if has_gold else " without a ground truth")
        return not_run("no_verifier", verifier="none", detail=detail)


async def _next(
    opened: list[asyncio.Task[tuple[VerifyRequest, Verdict]]], *, in_order: bool
) -> tuple[VerifyRequest, Verdict]:
    """The oldest pair, or the first that is done."""
    if not in_order and not any(task.done() for task in opened):
        await asyncio.wait(opened, return_when=asyncio.FIRST_COMPLETED)
    task = opened[0] if in_order else next(task for task in opened if task.done())
    pair = await task
    opened.remove(task)
    return pair


async def _each(
    requests: Iterable[VerifyRequest] | AsyncIterable[VerifyRequest],
) -> AsyncGenerator[VerifyRequest, None]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
