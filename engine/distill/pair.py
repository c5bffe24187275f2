"""One (query, teacher) pair: what its attempts came to, what may be asked next, and how it ends.

A pair is settled by the lowest attempt number that decides it, never by the attempt that happened to end first: asked
one by one or several at once, before or after a crash, the same answers settle it in the same way.
"""

from dataclasses import dataclass, field

from reasonmill.engine.distill.expectations import History
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.records import Query
from reasonmill.verify.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What is kept of an attempt and its verdict."""

    accepted: bool
    final: bool  # no other answer to this query can be checked either
    score: float | None
    reason: str
    tokens: int  # generated


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How a pair ends: `accepted` is the number of the accepted attempt or None; `last` is the attempt that decided."""

    accepted: int | None
    last: int
    reason: str
    detail: str = ""
    best: int | None = None  # the attempt with the highest score, for a pair without an accepted one
    best_score: float | None = None


@dataclass(kw_only=True, slots=True, eq=False)
class Pair:
    """The state of a pair between events."""

    ordinal: int
    query: Query
    teacher: str
    late: bool = False  # it was deferred
    history: History = field(default_factory=History)  # of its query, shared with the pairs of other teachers
    judged: dict[int, Judged] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)  # numbers that are asked, or answered and not judged
    answers: dict[int, str] = field(default_factory=dict)  # multi_round: the answer part that the next round quotes
    faults: dict[int, int] = field(default_factory=dict)  # in a row, by attempt
    ended: bool = False  # its end is said, or being said, or it was set aside: nothing that comes later counts
    queued: bool = False  # in its teacher's ready queue
    version: int = 0  # of its place in the drain's order

    def next_number(self, settings: AttemptSettings) -> int | None:
        """The lowest attempt that may be asked now, None where all are asked or a lower one was accepted."""
        for number in range(1, settings.last_number + 1):
            judged = self.judged.get(number)
            if judged is None and number not in self.open:
                return number
            if judged is not None and judged.accepted and settings.mode != "k_pass":
                return None
        return None

    def settlement(self, settings: AttemptSettings) -> Settlement | None:
        """How the pair ends, None while an attempt that counts is not judged."""
        tokens = 0
        for number in range(1, settings.last_number + 1):
            judged = self.judged.get(number)
            if judged is None:
                return None
            tokens += judged.tokens
            if judged.accepted and settings.mode != "k_pass":
                return Settlement(accepted=number, last=number, reason="ok")
            if judged.final:
                return self._unanswered(number, judged.reason)
            if settings.max_tokens_per_pair is not None and tokens >= settings.max_tokens_per_pair:
                return self._end(number, "token_budget", settings)
        return self._end(settings.last_number, self.judged[settings.last_number].reason, settings)

    def given_up(self, reason: str, detail: str = "") -> Settlement:
        """The end that comes from outside, at the attempt that would have been the next to count: a refusal, a check
        that could not be made, a budget of the whole run.
        """
        return self._unanswered(self.first_unjudged(), reason, detail)

    def first_unjudged(self) -> int:
        """The lowest number without a verdict: the pair is not settled before it has one."""
        number = 1
        while number in self.judged:
            number += 1
        return number

    def losers(self, settings: AttemptSettings) -> set[int]:
        """Open attempts that cannot count any more, since a lower number was accepted."""
        accepted = [number for number, judged in self.judged.items() if judged.accepted]
        if not accepted or settings.mode == "k_pass":
            return set()
        return {number for number in self.open if number > min(accepted)}

    def _end(self, last: int, reason: str, settings: AttemptSettings) -> Settlement:
        accepted = [number for number in range(1, last + 1) if self.judged[number].accepted]
        if settings.mode == "k_pass" and accepted:
            return Settlement(accepted=accepted[0], last=last, reason="ok")
        return self._unanswered(last, reason)

    def _unanswered(self, last: int, reason: str, detail: str = "") -> Settlement:
        scored = [(judged.score, -number) for number, judged in self.judged.items() if judged.score is not None]
        score, number = max(scored, default=(None, 0))
        return Settlement(
            accepted=None,
            last=last,
            reason=reason,
            detail=detail,
            best=-number if scored else None,
            best_score=score,
        )


def judged(verdict: Verdict, tokens: int) -> Judged:
    """What a pair keeps of a verdict, after the quality checks had their say."""
    return Judged(
        accepted=verdict.outcome == "pass",
        final=verdict.final,
        score=verdict.score,
        reason=verdict.reason,
        tokens=tokens,
    )
