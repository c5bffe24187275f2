"""The best split of a number of GPUs: replicas for each teacher and ranks for the trainer, such that the last of
them is done as early as can be. Exact: the shortest time for which the shares that everyone then needs still fit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """Work that can be shared out: seconds on one unit, GPUs of a unit, and a tail that no share shortens."""

    seconds: float
    gpus: int
    tail_s: float = 0.0

    def units(self, within_s: float) -> int | None:
        """Units with which it is done in time; None where no number is enough."""
        if not self.seconds:
            return 1
        left = within_s - self.tail_s
        return None if left <= 0.0 else max(1, math.ceil(self.seconds / left - 1e-9))


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Units of each need, and the time that the slowest takes."""

    units: dict[str, int]
    gpus_of_unit: dict[str, int]
    seconds: float
    gpus: int


def best_split(needs: Mapping[str, Need], gpus: int) -> Split | None:
    """The split of `gpus` that ends first; None where they are not enough for one unit each."""
    if _fitting(needs, gpus, math.inf) is None:
        return None
    low = max(need.tail_s for need in needs.values())
    high = max(need.seconds + need.tail_s for need in needs.values())
    for _ in range(100):
        middle = (low + high) / 2
        if _fitting(needs, gpus, middle) is None:
            low = middle
        else:
            high = middle
    units = _fitting(needs, gpus, high)
    assert units is not None, "one unit each fits in the longest time"
    return Split(
        units=units,
        gpus_of_unit={name: need.gpus for name, need in needs.items()},
        seconds=max(need.seconds / units[name] + need.tail_s for name, need in needs.items()),
        gpus=sum(need.gpus * units[name] for name, need in needs.items()),
    )


def _fitting(needs: Mapping[str, Need], gpus: int, within_s: float) -> dict[str, int] | None:
    units: dict[str, int] = {}
    for name, need in needs.items():
        number = need.units(within_s)
        if number is None:
            return None
        units[name] = number
    return units if sum(need.gpus * units[name] for name, need in needs.items()) <= gpus else None
