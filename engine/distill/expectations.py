"""What is expected of an attempt before it is made: the chance that it is accepted and its length, learnt from every
verdict of the run. Expectations decide only order and place, never what is kept.

Chance: mean of a Beta posterior. Its prior is the pass rate of the teacher in the category, worth PRIOR_ATTEMPTS
attempts; what the query's own attempts showed is added, what other teachers' attempts at it showed counts less.
Length: mean of the teacher in the category, times what the query's own answers were longer or shorter.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

# Fitted on the four pass counts of arXiv 2504.17565 Fig. 8 for R1 in math: 72 % always, 6 % never pass in 4 attempts;
# a Beta prior of mean .87 needs a concentration of about 0.6 to be as U-shaped.
PRIOR_ATTEMPTS = 0.6
OTHER_TEACHER_WEIGHT = 0.5  # of an attempt of another teacher at the same query
FIRST_PASS_RATE = 0.7  # before the first verdict, worth 4 attempts
FIRST_LENGTH = 4000.0  # tokens, before the first answer: the mean of arXiv 2505.14464 Fig. 4


@dataclass(slots=True)
class _Seen:
    attempts: float = 4.0
    accepted: float = 4.0 * FIRST_PASS_RATE
    answers: float = 1.0
    log_tokens: float = math.log(FIRST_LENGTH)
    tokens: float = FIRST_LENGTH


@dataclass(slots=True)
class History:
    """What the attempts at one query showed so far."""

    accepted: dict[str, int] = field(default_factory=dict)  # by teacher
    rejected: dict[str, int] = field(default_factory=dict)
    log_ratio: float = 0.0  # sum over its answers of log(length / expected length)
    answers: int = 0

    def note_verdict(self, teacher: str, *, accepted: bool) -> None:
        """An attempt of this teacher was judged."""
        counts = self.accepted if accepted else self.rejected
        counts[teacher] = counts.get(teacher, 0) + 1


class Expectations:
    """Running figures of one run; constant memory."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = defaultdict(_Seen)

    def pass_chance(self, teacher: str, category: str, history: History) -> float:
        """Chance that the next attempt is accepted, in (0, 1)."""
        seen = self._seen[teacher, category]
        mean = seen.accepted / seen.attempts
        accepted, rejected = PRIOR_ATTEMPTS * mean, PRIOR_ATTEMPTS * (1.0 - mean)
        for name, count in history.accepted.items():
            accepted += count * (1.0 if name == teacher else OTHER_TEACHER_WEIGHT)
        for name, count in history.rejected.items():
            rejected += count * (1.0 if name == teacher else OTHER_TEACHER_WEIGHT)
        return min(max(accepted / (accepted + rejected), 1e-3), 1.0 - 1e-3)

    def tokens(self, teacher: str, category: str, history: History) -> float:
        """Expected length of the next answer in tokens."""
        seen = self._seen[teacher, category]
        mean = seen.tokens / seen.answers
        return mean * math.exp(history.log_ratio / (history.answers + 1)) if history.answers else mean

    def note_length(self, teacher: str, category: str, history: History, tokens: int) -> None:
        """A query's answer has this many tokens, against what was expected of it."""
        seen = self._seen[teacher, category]
        history.log_ratio += math.log(max(tokens, 1)) - seen.log_tokens / seen.answers
        history.answers += 1

    def learn_length(self, teacher: str, category: str, tokens: int) -> None:
        """Another answer of the teacher in the category has this many tokens."""
        seen = self._seen[teacher, category]
        seen.answers += 1.0
        seen.log_tokens += math.log(max(tokens, 1))
        seen.tokens += tokens

    def learn_verdict(self, teacher: str, category: str, *, accepted: bool) -> None:
        """Another attempt of the teacher in the category was judged."""
        seen = self._seen[teacher, category]
        seen.attempts += 1.0
        seen.accepted += accepted
