"""The verdict on an answer: the verifier's, then the quality checks'. A check that could not be made is made again,
with growing pauses, and is never a score.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.assess import assess
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Attempt, Query
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Outcome, Verdict

CHECK_PAUSE_S = 0.5  # first pause after a check that could not be made; doubles up to MAX_CHECK_PAUSE_S
MAX_CHECK_PAUSE_S = 60.0
BROKEN_OFF = frozenset({"repetition", "second_think", "language"})  # finish reasons of a stream that was cut short


class Judge:
    """Verdicts of one run."""

    def __init__(
        self,
        verify: Callable[[VerifyRequest], Awaitable[Verdict]],
        settings: AttemptSettings,
        quality: QualitySettings,
        telemetry: Telemetry,
    ) -> None:
        self._verify = verify
        self._settings = settings
        self._quality = quality
        self._telemetry = telemetry

    async def judge(self, query: Query, attempt: Attempt) -> tuple[Verdict, dict[str, float]]:
        """The verdict and the quality figures of an accepted answer. A transient verdict: the check was given up."""
        if attempt.finish_reason in BROKEN_OFF:  # nothing to check: the answer has no end
            return Verdict(outcome="fail", score=0.0, verifier="stream", reason=attempt.finish_reason), {}
        verdict = await self._checked(query, attempt)
        return assess(attempt, verdict, self._quality) if verdict.outcome == "pass" else (verdict, {})

    async def _checked(self, query: Query, attempt: Attempt) -> Verdict:
        number = 0
        while True:
            with self._telemetry.work("verify", query.category, query=query.id, number=attempt.number):
                verdict = await self._verify(attempt.request(query))
            if not verdict.transient or number >= self._settings.max_check_retries:
                break
            self._telemetry.count("checks_repeated")
            await asyncio.sleep(min(CHECK_PAUSE_S * 2**number, MAX_CHECK_PAUSE_S))
            number += 1
        if verdict.score is None:
            return verdict
        outcome: Outcome = "pass" if verdict.score >= self._settings.threshold else "fail"
        return verdict if verdict.outcome == outcome else replace(verdict, outcome=outcome)
