"""How long texts are, exactly, in memory that grows with the longest text and not with their number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class BoxFigures:
    """What a box plot draws: quartiles, Tukey's whiskers (1.5 interquartile ranges), mean, extremes."""

    num: int
    mean: float
    minimum: float
    whisker_low: float
    first_quartile: float
    median: float
    third_quartile: float
    whisker_high: float
    maximum: float


class LengthCounts:
    """A multiset of non-negative integers."""

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def add(self, lengths: NDArray[np.int64] | Sequence[int]) -> None:
        """Add lengths."""
        new = np.bincount(np.asarray(lengths, dtype=np.int64), minlength=len(self._counts))
        new[: len(self._counts)] += self._counts
        self._counts = new

    def __add__(self, other: "LengthCounts") -> "LengthCounts":
        total = LengthCounts()
        for part in (self, other):
            size = max(len(total._counts), len(part._counts))
            grown = np.zeros(size, dtype=np.int64)
            grown[: len(total._counts)] += total._counts
            grown[: len(part._counts)] += part._counts
            total._counts = grown
        return total

    @property
    def num(self) -> int:
        """How many."""
        return int(self._counts.sum())

    @property
    def total(self) -> int:
        """Their sum."""
        return int(self._counts @ np.arange(len(self._counts)))

    @property
    def maximum(self) -> int:
        """The largest, 0 where there is none."""
        present = np.flatnonzero(self._counts)
        return int(present[-1]) if len(present) else 0

    def quantile(self, share: float) -> float:
        """Linear-interpolated quantile, as numpy's default method has it. Raises ValueError where there is none."""
        if self.num == 0:
            raise ValueError("no quantile of nothing")
        position = share * (self.num - 1)
        below = int(position)
        upto = np.cumsum(self._counts)
        low = int(np.searchsorted(upto, below, side="right"))
        high = int(np.searchsorted(upto, min(below + 1, self.num - 1), side="right"))
        return low + (high - low) * (position - below)

    def histogram(self, width: int, num_bins: int) -> list[int]:
        """Counts of (0, width], (width, 2 width], ... and of all above; zero falls into the first bin."""
        bins = [0] * (num_bins + 1)
        for length in np.flatnonzero(self._counts):
            bins[min(max(int(length) - 1, 0) // width, num_bins)] += int(self._counts[length])
        return bins

    def box(self) -> BoxFigures:
        """Figures of the box plot. Raises ValueError where there is none."""
        first, median, third = self.quantile(0.25), self.quantile(0.5), self.quantile(0.75)
        present = np.flatnonzero(self._counts)
        reach = 1.5 * (third - first)
        inside = present[(present >= first - reach) & (present <= third + reach)]
        return BoxFigures(
            num=self.num,
            mean=self.total / self.num,
            minimum=float(present[0]),
            whisker_low=float(inside[0]),
            first_quartile=first,
            median=median,
            third_quartile=third,
            whisker_high=float(inside[-1]),
            maximum=float(present[-1]),
        )


def box_of(values: Sequence[float]) -> BoxFigures:
    """Figures of the box plot of real numbers. Raises ValueError where there is none."""
    if len(values) == 0:
        raise ValueError("no box plot of nothing")
    array = np.sort(np.asarray(values, dtype=np.float64))
    first, median, third = (float(q) for q in np.quantile(array, (0.25, 0.5, 0.75)))
    reach = 1.5 * (third - first)
    inside = array[(array >= first - reach) & (array <= third + reach)]
    return BoxFigures(
        num=len(array),
        mean=float(array.mean()),
        minimum=float(array[0]),
        whisker_low=float(inside[0]),
        first_quartile=first,
        median=median,
        third_quartile=third,
        whisker_high=float(inside[-1]),
        maximum=float(array[-1]),
    )
