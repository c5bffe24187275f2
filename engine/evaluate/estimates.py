"""Estimates from repeated samples: unbiased pass@k, and an interval for a mean of shares that stays inside [0, 1] and
has a width also where every sample, or none, was right.
"""

import math
from statistics import NormalDist

LEVEL = 0.95


def pass_at_k(num_right: int, num_samples: int, k: int) -> float:
    """Chance that at least one of k samples is right, drawn without replacement from `num_samples` of which `num_right`
    are: 1 - C(n - c, k) / C(n, k) (arXiv 2107.03374, equation 1), which is unbiased, unlike 1 - (1 - c / n) ** k.
    """
    assert 0 <= num_right <= num_samples, "more right than there are"
    assert 1 <= k <= num_samples, "k is drawn without replacement"
    return 1.0 - math.comb(num_samples - num_right, k) / math.comb(num_samples, k)


def interval(mean: float, stderr: float | None, *, num_questions: int, num_samples: int) -> tuple[float, float]:
    """95 % interval of pass@1 over the questions that might have been asked.

    Wilson's interval at the effective number of independent samples, mean (1 - mean) / stderr ** 2 (Korn and Graubard
    1998): that of the samples where questions are alike, that of the questions where each is always or never solved.
    """
    effective = float(num_questions)
    if stderr is not None and 0.0 < mean < 1.0:
        variance = mean * (1.0 - mean)
        effective = max(1.0, variance / stderr**2) if variance < num_samples * stderr**2 else float(num_samples)
    normal = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    if num_questions > 1:  # the standard error is itself an estimate: Student's quantile, by its first expansion
        student = normal + (normal**3 + normal) / (4 * (num_questions - 1))
        effective *= (normal / student) ** 2
    return _wilson(mean, effective, normal)


def _wilson(share: float, number: float, normal: float) -> tuple[float, float]:
    square = normal**2 / number
    middle = (share + square / 2) / (1 + square)
    reach = math.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))


def mean_and_stderr(values: list[float]) -> tuple[float, float | None]:
    """Mean of at least one value, and its standard error where there are two."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))
