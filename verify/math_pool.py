"""Comparisons by algebra in killable worker processes. What takes longer than the limit, or more memory, is the
answer's fault, unless the ground truth alone does, or is a huge number, or the answer is an easy one: then nobody can
say whether the answer is wrong, and the comparison was not made.
"""

from collections.abc import Mapping
from dataclasses import replace

from reasonmill.verify.math_answer import Comparison
from reasonmill.verify.math_text import normal_form
from reasonmill.verify.math_values import constant_value, is_huge
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run, scored
from reasonmill.verify.worker_pool import WorkerLimits, WorkerPool

VERIFIER = "math_verify"


class MathPool:
    """At most `settings.num_math_workers` workers; any number of callers wait."""

    def __init__(self, settings: VerifySettings) -> None:
        self._workers = WorkerPool(
            "reasonmill.verify.math_worker",
            WorkerLimits(
                workers=settings.num_math_workers,
                limit_s=settings.math_limit_s,
                memory_mib=settings.math_memory_mib,
                recycle_after=settings.math_recycle_after,
                recycle_mib=settings.math_recycle_mib,
            ),
        )

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return self._workers.pids

    @property
    def retired(self) -> int:
        """Workers that were replaced in good health."""
        return self._workers.retired

    async def compare(self, comparison: Comparison) -> Verdict:
        """The verdict; its duration is that of the comparison alone."""
        verdict = await self._compare(
            {"gold": comparison.gold, "answer": comparison.answer, "running": comparison.running}
        )
        if verdict.reason in ("time_limit", "memory_limit") and _is_to_blame(comparison):
            detail = f"the ground truth is too hard to compare with: {verdict.detail or verdict.reason}"
            return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail, duration_s=verdict.duration_s)
        return verdict

    async def compare_plain(self, *, gold: str, response: str) -> Verdict:
        """What Math-Verify by itself says of a whole response, for audits."""
        return await self._compare({"gold": gold, "answer": response, "plain": True})

    async def settled(self) -> None:
        """Return when no replacement is under way."""
        await self._workers.settled()

    async def close(self) -> None:
        """Kill all workers."""
        await self._workers.close()

    async def _compare(self, message: Mapping[str, object]) -> Verdict:
        answer = await self._workers.ask(message)
        told = answer.told
        if told is None:
            verdict = _failed(answer.failure, answer.detail)
        elif "over_limit" in told["result"]:
            verdict = _failed(*self._workers.overrun(told["cpu_s"]))
            if told["result"] == "gold_over_limit" and not verdict.transient:
                verdict = not_run("unverifiable_gold", verifier=VERIFIER, detail=told["detail"])
        else:
            verdict = _verdict(told)
        return replace(verdict, duration_s=answer.duration_s)


def _is_to_blame(comparison: Comparison) -> bool:
    """Whether a comparison took too long for its gold: one that is a huge number, or an answer that is easy."""
    gold, answer = (normal_form(text) for text in (comparison.gold, comparison.answer))
    easy = bool(answer) and constant_value(answer) is not None
    return is_huge(gold) or (easy and constant_value(gold) is None)


def _failed(failure: str, detail: str) -> Verdict:
    if failure == "time_limit":
        return scored(0.0, verifier=VERIFIER, reason=failure, detail=detail)
    return not_run(failure, verifier=VERIFIER, detail=detail)


def _verdict(answer: dict[str, object]) -> Verdict:
    detail = str(answer["detail"])
    match answer["result"]:
        case "equal":
            return scored(1.0, verifier=VERIFIER, reason="ok")
        case "different":
            return scored(0.0, verifier=VERIFIER, reason="wrong_answer")
        case "no_answer":
            return scored(0.0, verifier=VERIFIER, reason="wrong_answer", detail="the answer is no expression")
        case "out_of_memory":
            return scored(0.0, verifier=VERIFIER, reason="memory_limit", detail=detail)
        case _:
            return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail)
