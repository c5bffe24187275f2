"""Verdicts on instruction following: the share of a query's constraints that the answer meets (arXiv 2504.17565 section
2.4.1 eq. 3), or all or nothing as for reinforcement learning (arXiv 2505.08311 section 3). A constraint that cannot be
checked leaves the response unjudged: it neither passes nor fails.
"""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec

from reasonmill.verify.answer import split_response
from reasonmill.verify.constraint_supplement import ConstraintSupplement
from reasonmill.verify.constraints import BadConstraints, Constraint, read_constraints
from reasonmill.verify.judge import Asker
from reasonmill.verify.judge_client import JudgeUnreachable
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import InstructionSettings
from reasonmill.verify.verdict import Verdict, not_run, scored
from reasonmill.verify.worker_pool import WorkerLimits, WorkerPool

VERIFIER = "if_verifiable"
PACKAGES = ("if_verifiable", "nltk", "punkt", "langdetect", "immutabledict", "emoji", "syllapy")


class InstructionChecker:
    """Checks requests that have constraints, in worker processes."""

    def __init__(self, settings: InstructionSettings, asker: Asker | None = None) -> None:
        self._settings = settings
        self._supplement = None if settings.supplement is None else ConstraintSupplement(settings.supplement, asker)
        self._workers = WorkerPool(
            "reasonmill.verify.instruction_worker",
            WorkerLimits(
                workers=settings.num_workers,
                limit_s=settings.limit_s,
                memory_mib=settings.memory_mib,
                recycle_mib=settings.recycle_mib,
            ),
        )

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return self._workers.pids

    async def close(self) -> None:
        """Kill all workers."""
        await self._workers.close()
        if self._supplement is not None:
            await self._supplement.close()

    async def check(self, request: VerifyRequest) -> Verdict:
        """The verdict on the finished answer part of the response, reasoning left out."""
        try:
            constraints = read_constraints(request.instruction_constrain)
        except BadConstraints as error:
            if self._supplement is None or error.reason != "no_constraints":
                return not_run(error.reason, verifier=VERIFIER, detail=str(error))
            constraints = ()
        missing = _missing(PACKAGES)
        if missing:
            detail = f"not installed: {', '.join(missing)}; pip install 'reasonmill[instructions]'"
            return not_run("no_verifier", verifier=VERIFIER, detail=detail)
        parts = split_response(request.response)
        if not parts.finished:
            return scored(0.0, verifier=VERIFIER, reason="unfinished")
        part = parts.answer or ""
        if not part:
            return scored(0.0, verifier=VERIFIER, reason="no_answer")
        # an answer without tags is checked as it stands: white space around it counts for some constraints
        text = request.response if part == request.response.strip() else part
        if not constraints:
            assert self._supplement is not None, "returned above"
            try:
                constraints = await self._supplement.find(request.prompt)
            except JudgeUnreachable as error:
                return not_run("judge_unreachable", verifier=VERIFIER, detail=str(error))
            if not constraints:
                return not_run("no_constraints", verifier=VERIFIER, detail="none are given and none were found")
        return await self._check(constraints, text)

    async def _check(self, constraints: tuple[Constraint, ...], text: str) -> Verdict:
        message = {
            "text": text,
            "constraints": [(one.id, one.arguments) for one in constraints],
            "loose": self._settings.loose,
        }
        answer = await self._workers.ask(message)
        told = answer.told
        if told is None:
            verdict = _failed(answer.failure, answer.detail)
        elif told["result"] == "checked":
            verdict = self._scored(constraints, told["followed"])
        elif told["result"] == "over_limit":
            failure, _ = self._workers.overrun(told["cpu_s"])
            verdict = _failed(failure, told["detail"])
        elif told["result"] == "out_of_memory":
            verdict = scored(0.0, verifier=VERIFIER, reason="memory_limit", detail=told["detail"])
        else:
            verdict = not_run(told["result"], verifier=VERIFIER, detail=told["detail"])
        return replace(verdict, duration_s=answer.duration_s)

    def _scored(self, constraints: tuple[Constraint, ...], followed: list[bool]) -> Verdict:
        assert len(followed) == len(constraints), "a worker answers for each constraint"
        share = sum(followed) / len(followed)
        score = float(share == 1.0) if self._settings.all_must_pass else share
        broken = [one.id for one, met in zip(constraints, followed, strict=True) if not met]
        verdict = scored(score, verifier=VERIFIER, reason="ok")
        if verdict.outcome == "pass":
            return replace(verdict, detail=f"not met: {', '.join(broken)}" if broken else "")
        return replace(verdict, reason="constraint_not_met", detail=", ".join(broken))


@cache
def _missing(packages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in packages if find_spec(name) is None)


def _failed(failure: str, detail: str) -> Verdict:
    if failure == "time_limit":
        return scored(0.0, verifier=VERIFIER, reason=failure, detail=detail)
    return not_run(failure, verifier=VERIFIER, detail=detail)
