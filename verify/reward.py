"""Verdicts on answers that have no reference: (coherence + correctness + helpfulness) / 12, each from 0 to 4 (arXiv
2504.17565 section 2.4.1 eq. 4), by a reward model in a process of its own or by a model behind an endpoint. What could
not be rated is `not_run`.
"""

import asyncio
import math

from reasonmill.verify.answer import split_response
from reasonmill.verify.judge import Asker, Judge
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import RewardSettings
from reasonmill.verify.verdict import Verdict, not_run, scored
from reasonmill.verify.worker_pool import WorkerLimits, WorkerPool

VERIFIER = "reward_model"
MOST = 4.0  # of an attribute
_Waiting = tuple[str, str, "asyncio.Future[Verdict]"]


def quality_verdict(attributes: list[float], *, verifier: str) -> Verdict:
    """The verdict on coherence, correctness and helpfulness; what is a little outside [0, 4] counts as its edge."""
    if not all(map(math.isfinite, attributes)):
        return not_run("judge_unclear", verifier=verifier, detail=f"rated {attributes}")
    score = sum(min(MOST, max(0.0, one)) for one in attributes) / (MOST * len(attributes))
    detail = "coherence {:.2f}, correctness {:.2f}, helpfulness {:.2f}".format(*attributes)
    reason = "ok" if scored(score, verifier=verifier, reason="ok").outcome == "pass" else "low_quality"
    return scored(score, verifier=verifier, reason=reason, detail=detail)


class RewardChecker:
    """Rates finished answers; those that wait are rated together."""

    def __init__(self, settings: RewardSettings, asker: Asker | None = None) -> None:
        self._settings = settings
        self._judge = None if settings.endpoint is None else Judge(settings.endpoint, asker)
        self._workers = WorkerPool(
            "reasonmill.verify.reward_worker",
            WorkerLimits(workers=1, limit_s=settings.limit_s, memory_mib=0, start_s=settings.start_s, start_tries=1),
            *(settings.model, settings.labels, settings.device, str(settings.max_tokens)),
            str(int(settings.trust_remote_code)),
        )
        self._waiting: list[_Waiting] = []
        self._rating: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the process and all connections."""
        if self._rating is not None:
            self._rating.cancel()
            await asyncio.gather(self._rating, return_exceptions=True)
        await self._workers.close()
        if self._judge is not None:
            await self._judge.close()

    async def check(self, request: VerifyRequest) -> Verdict:
        """The verdict on the finished answer part, reasoning left out."""
        parts = split_response(request.response)
        if not parts.finished:
            return scored(0.0, verifier=VERIFIER, reason="unfinished")
        answer = parts.answer or ""
        if not answer:
            return scored(0.0, verifier=VERIFIER, reason="no_answer")
        if self._judge is not None:
            rated = await self._judge.quality(question=request.prompt, answer=answer)
            return rated if isinstance(rated, Verdict) else quality_verdict(rated, verifier="reward_endpoint")
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((request.prompt, answer, verdict))
        if self._rating is None or self._rating.done():
            self._rating = asyncio.create_task(self._rate_waiting())
        return await verdict

    async def _rate_waiting(self) -> None:
        taken: list[_Waiting] = []
        try:
            while True:
                await asyncio.sleep(0)  # who asks in the same moment is rated in the same batch
                taken, self._waiting = (
                    self._waiting[: self._settings.batch_size],
                    self._waiting[self._settings.batch_size :],
                )
                taken = [one for one in taken if not one[2].done()]
                if not taken and not self._waiting:
                    return
                verdicts = await self._rate([(prompt, answer) for prompt, answer, _ in taken])
                for (_, _, future), verdict in zip(taken, verdicts, strict=True):
                    if not future.done():
                        future.set_result(verdict)
        finally:
            for _, _, future in [*taken, *self._waiting]:
                future.cancel()

    async def _rate(self, pairs: list[tuple[str, str]]) -> list[Verdict]:
        if not pairs:
            return []
        answer = await self._workers.ask({"pairs": pairs})
        if answer.told is None:
            # a process that does not start will not start for the next answer either
            reasons = {"worker_died": "no_verifier", "time_limit": "machine_busy"}
            reason = reasons.get(answer.failure, answer.failure)
            return [not_run(reason, verifier=VERIFIER, detail=answer.detail)] * len(pairs)
        if "problem" in answer.told:
            return [not_run("checker_failed", verifier=VERIFIER, detail=answer.told["problem"])] * len(pairs)
        return [self._verdict(rated) for rated in answer.told["rated"]]

    def _verdict(self, rated: list[float] | None) -> Verdict:
        if rated is None:
            detail = f"question and answer have more than {self._settings.max_tokens} tokens"
            return not_run("too_long", verifier=VERIFIER, detail=detail)
        return quality_verdict(rated, verifier=VERIFIER)
