"""Two ways to check the same answer, side by side: where they disagree, one of them is wrong. The cascade against plain
Math-Verify on the whole response, and rules against a judge.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Outcome, Verdict

Way = Literal["plain Math-Verify", "judge"]
MAX_EXAMPLES = 20  # of one category and way
_ANSWERED = ("math", "science", "other")


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """One request on which two ways differ; the response is shown by its end."""

    id: str
    gold: str
    response: str
    ours: Outcome
    ours_reason: str
    other: Outcome
    other_reason: str


@dataclass(slots=True)
class Audit:
    """Counts and examples by (category, way)."""

    compared: Counter[tuple[str, str]] = field(default_factory=Counter)
    differ: Counter[tuple[str, str]] = field(default_factory=Counter)
    unchecked: Counter[tuple[str, str]] = field(default_factory=Counter)  # one of the two was not run
    examples: dict[tuple[str, str], list[Disagreement]] = field(default_factory=lambda: defaultdict(list))

    def add(self, request: VerifyRequest, way: Way, ours: Verdict, other: Verdict) -> None:
        """Enter one pair of verdicts."""
        key = (request.category, way)
        if "not_run" in (ours.outcome, other.outcome):
            self.unchecked[key] += 1
            return
        self.compared[key] += 1
        if ours.outcome == other.outcome:
            return
        self.differ[key] += 1
        if len(self.examples[key]) < MAX_EXAMPLES:
            self.examples[key].append(
                Disagreement(
                    id=request.id,
                    gold=(request.ground_truth or "")[:200],
                    response=request.response[-300:],
                    ours=ours.outcome,
                    ours_reason=ours.reason,
                    other=other.outcome,
                    other_reason=other.reason,
                )
            )

    def rate(self, key: tuple[str, str]) -> float:
        """Share of the compared pairs that differ."""
        return self.differ[key] / self.compared[key] if self.compared[key] else 0.0


async def audit(requests: Iterable[VerifyRequest], settings: VerifySettings) -> Audit:
    """Check each request by the rules, by plain Math-Verify, and by the judge where the settings name one."""
    found = Audit()
    rules = replace(settings, judge=None)
    plain = MathPool(settings)
    try:
        async with VerifierPool(rules) as pool, VerifierPool(settings) as judged:
            async for request, ours in pool.verify_all(_answerable(requests)):
                other = await plain.compare_plain(gold=request.ground_truth or "", response=request.response)
                found.add(request, "plain Math-Verify", ours, other)
                if settings.judge is not None:
                    found.add(request, "judge", ours, await judged.judge_alone(request))
    finally:
        await plain.close()
    return found


def _answerable(requests: Iterable[VerifyRequest]) -> Iterable[VerifyRequest]:
    return (one for one in requests if one.category in _ANSWERED and (one.ground_truth or "").strip())
