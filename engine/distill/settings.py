"""How often a query is asked, and what it takes to be kept."""

from dataclasses import dataclass
from typing import Literal

from reasonmill.verify.verdict import ACCEPT_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class AttemptSettings:
    """The retry-until-verified loop (arXiv 2505.14464 section 2.2; its attempt cap is not published)."""

    max_attempts: int = 8  # per (query, teacher); not_run verdicts do not count
    threshold: float = ACCEPT_THRESHOLD  # score from which an attempt is accepted
    survive: Literal["union", "intersection"] = "union"  # intersection: a query is kept only if all its teachers passed
    max_open_queries: int = 512  # asked and not yet decided, at once: bounds memory and the packer's wait
    max_faults: int = 20  # times in a row that a teacher may fail on one attempt before the run stops
    max_check_retries: int = 3  # times that a check which could not be made is made again

    def __post_init__(self) -> None:
        for name in ("max_attempts", "max_open_queries", "max_faults"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.max_check_retries < 0:
            raise ValueError(f"max_check_retries: {self.max_check_retries} is negative")
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold: {self.threshold} is outside (0, 1]")
