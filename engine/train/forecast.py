"""How many steps a training will take, said before it starts: from tokens alone, or from the rows that were packed."""

import math
from dataclasses import dataclass

from reasonmill.engine.train.schedule import warmup_steps
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.stream import Course


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`num_rows` a pass; `steps` optimiser steps in all, of `tokens_per_step` slots."""

    num_rows: int
    steps: int
    warmup_steps: int
    rows_per_step: int
    tokens_per_step: int

    def lines(self) -> list[str]:
        """For a person."""
        return [
            f"{self.num_rows:,} rows a pass, {self.rows_per_step} rows = {self.tokens_per_step:,} tokens a step",
            f"{self.steps:,} steps, {self.warmup_steps:,} of them warm-up",
        ]


def course_of(settings: TrainSettings) -> Course:
    """How long these settings train."""
    return Course(
        rows_per_step=settings.rows_per_step,
        num_epochs=settings.num_train_epochs,
        max_steps=settings.max_steps,
        expected_rows=settings.expected_rows,
    )


def rows_of_tokens(num_tokens: int, max_length: int, fill: float = 1.0) -> int:
    """Rows that documents of `num_tokens` tokens fill to the share `fill`. Raises ValueError for a senseless number."""
    if num_tokens < 1 or not 0.0 < fill <= 1.0:
        raise ValueError(f"{num_tokens} tokens, filled to {fill}: expected a positive number and a share above 0")
    return math.ceil(num_tokens / (max_length * fill))


def forecast(settings: TrainSettings, *, num_rows: int, max_length: int) -> Forecast:
    """Of a training on `num_rows` rows of `max_length` slots (arXiv 2505.14464: 6,554 steps on the AM set)."""
    steps = course_of(settings).steps_over(num_rows)
    return Forecast(
        num_rows=num_rows,
        steps=steps,
        warmup_steps=warmup_steps(settings.warmup_ratio, steps),
        rows_per_step=settings.rows_per_step,
        tokens_per_step=settings.rows_per_step * max_length,
    )


def difference(settings: TrainSettings, num_rows: int) -> str | None:
    """What to tell of a finished set whose rows are not as many as were expected; None where they are."""
    expected = settings.expected_rows
    if expected is None or settings.max_steps is not None or expected == num_rows:
        return None
    course = course_of(settings)
    return (
        f"expected_rows: {expected:,} were expected and {num_rows:,} packed: {course.steps_over(num_rows):,} steps"
        f" instead of {course.steps_over(expected):,}; the learning rate reaches zero with the last of them"
    )
