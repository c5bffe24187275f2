"""How many steps a training will take, said before it starts: from the rows that were packed, from tokens where rows
are packed full, or from samples where each is a row.
"""

import math
from dataclasses import dataclass

from reasonmill.engine.train.schedule import warmup_steps
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.stream import Course
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.settings import PackSettings


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Rows of `max_length` slots: how many a pass has and how many tokens, each None where it is not known. `full`: as
    many tokens as slots.
    """

    max_length: int
    num_rows: int | None = None
    num_tokens: int | None = None
    full: bool = True


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """`num_rows` a pass; `steps` optimiser steps in all, of `tokens_per_step` slots; `mean_tokens_per_step` of them
    hold a token, where that is known.
    """

    num_rows: int
    steps: int
    warmup_steps: int
    rows_per_step: int
    tokens_per_step: int
    mean_tokens_per_step: int | None = None

    def lines(self) -> list[str]:
        """For a person."""
        held = f"{self.rows_per_step} rows = {self.tokens_per_step:,} tokens a step"
        if self.mean_tokens_per_step != self.tokens_per_step:
            mean = "" if self.mean_tokens_per_step is None else f"{self.mean_tokens_per_step:,} tokens, "
            held = f"{self.rows_per_step} rows a step: {mean}at most {self.tokens_per_step:,} tokens"
        return [
            f"{self.num_rows:,} rows a pass, {held}",
            f"{self.steps:,} steps, {self.warmup_steps:,} of them warm-up",
        ]


def extent_of(
    reader: PackedReader | None,
    settings: TrainSettings,
    pack: PackSettings,
    *,
    num_tokens: int | None = None,
    num_samples: int | None = None,
) -> Extent:
    """Of a packed set, or of so many tokens and samples; without either, of the rows that the settings expect.

    Raises ValueError for numbers that do not say how many rows there will be, and for senseless ones.
    """
    for name, number in (("--tokens", num_tokens), ("--samples", num_samples)):
        if number is not None and number < 1:
            raise ValueError(f"{name} {number} is not positive")
    if reader is not None:
        known = (reader.num_rows, reader.num_tokens) if reader.finished else (settings.expected_rows, None)
        return Extent(max_length=reader.max_length, num_rows=known[0], num_tokens=known[1], full=not reader.finished)
    if num_tokens and num_samples and num_tokens > num_samples * pack.max_length:
        raise ValueError(
            f"--tokens {num_tokens}, --samples {num_samples}: a sample of the mean length is longer than"
            f" pack.max_length {pack.max_length}"
        )
    if not pack.packing:
        num_rows = num_samples or settings.expected_rows
        if num_tokens and not num_rows:
            raise ValueError(
                f"--tokens {num_tokens}: with pack.packing: false a row is one sample, however short: give --samples,"
                " --packed or train.expected_rows"
            )
        return Extent(max_length=pack.max_length, num_rows=num_rows, num_tokens=num_tokens, full=False)
    if num_samples and not num_tokens:
        raise ValueError(f"--samples {num_samples}: samples are packed into full rows, so give --tokens")
    num_rows = rows_of_tokens(num_tokens, pack.max_length) if num_tokens else settings.expected_rows
    return Extent(max_length=pack.max_length, num_rows=num_rows)


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


def forecast(settings: TrainSettings, extent: Extent) -> Forecast:
    """Of a training on so many rows (arXiv 2505.14464: 6,554 steps on the AM set)."""
    assert extent.num_rows is not None, "a forecast is of a number of rows"
    steps, slots = course_of(settings).steps_over(extent.num_rows), settings.rows_per_step * extent.max_length
    mean = slots if extent.full else None
    if extent.num_tokens is not None:
        mean = round(settings.rows_per_step * extent.num_tokens / extent.num_rows)
    return Forecast(
        num_rows=extent.num_rows,
        steps=steps,
        warmup_steps=warmup_steps(settings.warmup_ratio, steps),
        rows_per_step=settings.rows_per_step,
        tokens_per_step=slots,
        mean_tokens_per_step=mean,
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
