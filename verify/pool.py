"""Verifies responses, many at once: each request gets one verdict, within a deadline that starts when its check does.

Cheap rules run here; algebra runs in worker processes and programs in sandbox slots, both started when first needed,
killed when they overrun and replaced when they die. A request never raises for what is wrong with it: the verdict says
so. A cancelled request kills its check.
"""

import asyncio
import time
from dataclasses import replace
from types import TracebackType

from reasonmill.verify.child import ChildDied
from reasonmill.verify.code_tests import check_program
from reasonmill.verify.math_answer import check_answer
from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import SandboxMissing, SlotPool
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run

RULE_CATEGORIES = ("math", "science", "other")  # categories whose ground truth, if there is one, rules can compare


class VerifierPool:
    """`async with VerifierPool(settings) as pool`; then any number of tasks `await pool.verify(request)`."""

    def __init__(self, settings: VerifySettings) -> None:
        self._settings = settings
        self._math = MathPool(
            size=settings.num_math_workers,
            limit_s=settings.math_limit_s,
            memory_mib=settings.math_memory_mib,
            cache_size=settings.cache_size,
        )
        self._slots = SlotPool(settings.sandbox)

    async def __aenter__(self) -> "VerifierPool":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.gather(self._math.close(), self._slots.close()))

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

    async def _verify(self, request: VerifyRequest) -> Verdict:
        if request.category == "code":
            return await check_program(request, self._slots, self._settings)
        has_gold = bool((request.ground_truth or "").strip())
        if request.category == "math" or (request.category in RULE_CATEGORIES and has_gold):
            found = check_answer(
                request.response, request.ground_truth, max_answer_chars=self._settings.max_answer_chars
            )
            return found if isinstance(found, Verdict) else await self._math.compare(found)
        detail = f"no rule verifies the category {request.category!r}" + ("" if has_gold else " without a ground truth")
        return not_run("no_verifier", verifier="none", detail=detail)
