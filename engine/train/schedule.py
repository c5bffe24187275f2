"""The learning rate of each step: a linear warm-up, then down to zero at the end. A function of the step alone."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """`peak` is reached by the last of `warmup_steps`; `total_steps` steps in all, numbered from 0."""

    kind: str
    peak: float
    warmup_steps: int
    total_steps: int

    def learning_rate(self, step: float) -> float:
        """Rate of step `step`, which may lie between two.

        As transformers' schedules, but the first step is not wasted on a rate of zero.
        """
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return self.peak
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps))
        if self.kind == "linear":
            return self.peak * (1.0 - progress)
        return self.peak * 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_steps(ratio: float, total_steps: int) -> int:
    """Steps of warm-up, rounded up as in transformers."""
    return math.ceil(ratio * total_steps)
