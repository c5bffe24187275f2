"""What an evaluation found, and how it is worked out from single samples."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from reasonmill.engine.evaluate.estimates import interval, mean_and_stderr, pass_at_k


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One sample: `right` is None where the check could not be made, tokens are 0 where there was no answer.

    `words` are the marker words of the answer, in the order of `engine.quality.marker_words.WORDS`.
    """

    question: int
    source: str
    right: bool | None
    completion_tokens: int
    finished: bool
    number: int = 1
    round: int = 1
    words: tuple[int, ...] = ()
    refused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationResult:
    """pass@1 of one model on one benchmark: mean over questions of the mean over samples, in [0, 1].

    `stderr` is the standard error of that mean over questions, `interval_95` its interval; `stderr_same_questions` is
    what the mean would move by if the same questions were sampled again. `pass_at_k` is unbiased, by k. Samples that
    could not be checked are in `num_unchecked` and in no score; those that the teacher refused are wrong. `stop_ratio`
    is the share of answers that ended by themselves. `round` counts the rounds of multi-round thinking from 1.
    """

    name: str
    num_questions: int
    samples_per_question: int
    pass_at_1: float | None
    stderr: float | None
    mean_completion_tokens: float
    stop_ratio: float
    num_unchecked: int
    by_source: dict[str, float]
    benchmark: str = ""
    round: int = 1
    interval_95: tuple[float, float] | None = None
    stderr_same_questions: float | None = None
    pass_at_k: dict[str, float] = field(default_factory=dict)
    num_refused: int = 0


def summarise(
    name: str, samples: Sequence[Judged], samples_per_question: int, *, benchmark: str = "", round_number: int = 1
) -> EvaluationResult:
    """The result of all samples of a model in one round; pass@1 is None where not one could be checked."""
    by_question: defaultdict[int, list[bool]] = defaultdict(list)
    source_of: dict[int, str] = {}
    for sample in samples:
        source_of[sample.question] = sample.source
        if sample.right is not None:
            by_question[sample.question].append(sample.right)
    counts = {question: (sum(by_question[question]), len(by_question[question])) for question in sorted(by_question)}
    rates = {question: right / number for question, (right, number) in counts.items()}
    by_source: defaultdict[str, list[float]] = defaultdict(list)
    for question, rate in rates.items():
        by_source[source_of[question]].append(rate)
    answered = [sample for sample in samples if sample.completion_tokens]
    mean, stderr = mean_and_stderr(list(rates.values())) if rates else (None, None)
    checked = sum(number for _, number in counts.values())
    return EvaluationResult(
        name=name,
        num_questions=len(source_of),
        samples_per_question=samples_per_question,
        pass_at_1=mean,
        stderr=stderr,
        mean_completion_tokens=sum(s.completion_tokens for s in answered) / max(1, len(answered)),
        stop_ratio=sum(s.finished for s in answered) / max(1, len(answered)),
        num_unchecked=sum(s.right is None for s in samples),
        by_source={source: math.fsum(found) / len(found) for source, found in sorted(by_source.items())},
        benchmark=benchmark,
        round=round_number,
        interval_95=None if mean is None else interval(mean, stderr, num_questions=len(rates), num_samples=checked),
        stderr_same_questions=_stderr_same_questions(list(counts.values())),
        pass_at_k=_pass_at_k(list(counts.values()), samples_per_question),
        num_refused=sum(s.refused for s in samples),
    )


def _stderr_same_questions(counts: Sequence[tuple[int, int]]) -> float | None:
    """Standard error of the mean from the spread of samples within each question; None where one has a single one."""
    if not counts or any(number < 2 for _, number in counts):
        return None
    variances = [right / number * (1 - right / number) / (number - 1) for right, number in counts]
    return math.sqrt(math.fsum(variances)) / len(counts)


def _pass_at_k(counts: Sequence[tuple[int, int]], samples_per_question: int) -> dict[str, float]:
    """For k = 1, 2, 4, …, and the number of samples: the mean over the questions of which k samples were checked."""
    powers = [2**e for e in range(samples_per_question.bit_length()) if 2**e <= samples_per_question]
    found = {}
    for k in dict.fromkeys([*powers, samples_per_question]):
        shares = [pass_at_k(right, number, k) for right, number in counts if number >= k]
        if shares:
            found[str(k)] = math.fsum(shares) / len(shares)
    return found
