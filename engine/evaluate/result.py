"""What an evaluation found, and how it is worked out from single samples."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One sample: `right` is None where the check could not be made, tokens are 0 where there was no answer."""

    question: int
    source: str
    right: bool | None
    completion_tokens: int
    finished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationResult:
    """pass@1 of one model: mean over questions of the mean over samples, in [0, 1].

    `stderr` is the standard error of that mean over questions. Samples that could not be checked are in
    `num_unchecked` and in no score. `stop_ratio` is the share of answers that ended by themselves.
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


def summarise(name: str, samples: Sequence[Judged], samples_per_question: int) -> EvaluationResult:
    """The result of all samples of a model; pass@1 is None where not one could be checked."""
    by_question: defaultdict[int, list[bool]] = defaultdict(list)
    source_of: dict[int, str] = {}
    for sample in samples:
        source_of[sample.question] = sample.source
        if sample.right is not None:
            by_question[sample.question].append(sample.right)
    rates = {question: sum(rights) / len(rights) for question, rights in by_question.items()}
    by_source: defaultdict[str, list[float]] = defaultdict(list)
    for question in sorted(rates):
        by_source[source_of[question]].append(rates[question])
    answered = [sample for sample in samples if sample.completion_tokens]
    mean, stderr = _mean_and_stderr([rates[question] for question in sorted(rates)])
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
    )


def _mean_and_stderr(rates: Sequence[float]) -> tuple[float | None, float | None]:
    if not rates:
        return None, None
    mean = math.fsum(rates) / len(rates)
    if len(rates) == 1:
        return mean, None
    variance = math.fsum((rate - mean) ** 2 for rate in rates) / (len(rates) - 1)
    return mean, math.sqrt(variance / len(rates))
