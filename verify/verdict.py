"""The verdict on one response: pass, fail, or not run. A check that could not be made is never a score."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["pass", "fail", "not_run"]

ACCEPT_THRESHOLD = 0.9  # arXiv 2505.14464 section 2.2: one threshold for all categories

# Reasons of `not_run` that another try can cure, and those that another answer can. Every other reason of `not_run`
# is a property of the query.
TRANSIENT_REASONS = frozenset({"worker_died", "machine_busy", "sandbox_died", "disk_full", "judge_unreachable"})
ANSWER_REASONS = frozenset({"worker_died_twice", "judge_unclear", "checker_failed", "too_long"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Outcome of one verification.

    `score` is in [0, 1], and None exactly when the outcome is `not_run`. `reason` is a code such as
    `ok`, `wrong_answer`, `unfinished`, `time_limit`, `no_tests`, `worker_died`; `detail` is for people.
    """

    outcome: Outcome
    score: float | None
    verifier: str
    reason: str
    duration_s: float = 0.0
    detail: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in ("pass", "fail", "not_run"):
            raise ValueError(f"outcome {self.outcome!r} is none of pass, fail, not_run")
        if (self.score is None) != (self.outcome == "not_run"):
            raise ValueError(f"a verdict {self.outcome!r} cannot have the score {self.score!r}")
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score {self.score!r} is outside [0, 1]")

    @property
    def transient(self) -> bool:
        """Whether the check itself failed in a way that another try can cure."""
        return self.outcome == "not_run" and self.reason in TRANSIENT_REASONS

    @property
    def final(self) -> bool:
        """Whether no other answer to the query can be checked either."""
        return self.outcome == "not_run" and not self.transient and self.reason not in ANSWER_REASONS


def scored(
    score: float,
    *,
    verifier: str,
    reason: str,
    threshold: float = ACCEPT_THRESHOLD,
    detail: str = "",
    duration_s: float = 0.0,
) -> Verdict:
    """Verdict of a check that ran: pass at `score >= threshold`. Raises ValueError for NaN."""
    outcome: Outcome = "pass" if score >= threshold else "fail"
    return Verdict(outcome=outcome, score=score, verifier=verifier, reason=reason, detail=detail, duration_s=duration_s)


def not_run(reason: str, *, verifier: str, detail: str = "", duration_s: float = 0.0) -> Verdict:
    """Verdict of a check that could not be made."""
    return Verdict(
        outcome="not_run", score=None, verifier=verifier, reason=reason, detail=detail, duration_s=duration_s
    )
