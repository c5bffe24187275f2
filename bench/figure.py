"""What a bench measured: one number with its unit, the side that is better, and the target it is held against."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

Scale = Literal["ci", "node"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number. Only a `gated` figure is compared with a baseline: a ratio, a share or a count, which a busy machine
    does not move; absolute rates and times are for reading.
    """

    name: str  # snake case, unique within its stage
    value: float
    unit: str  # "x" for a ratio against a peer
    better: Literal["higher", "lower"] = "higher"
    target: float | None = None
    gated: bool = False
    tolerance: float = 0.1  # share of the baseline's value that a gated figure may lose
    detail: dict[str, object] = field(default_factory=dict)  # settings, spread, number of rounds: what a reader asks

    def reaches(self, bar: float) -> bool:
        """Whether the value is at least as good as `bar`."""
        return self.value >= bar if self.better == "higher" else self.value <= bar

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.target is None else self.reaches(self.target)

    def regressed(self, baseline: float) -> bool:
        """Whether a gated figure is worse than the baseline by more than its tolerance."""
        slack = abs(baseline) * self.tolerance
        return self.gated and not self.reaches(baseline - slack if self.better == "higher" else baseline + slack)


class Bench(Protocol):
    """A module `bench/bench_STAGE.py`. Its docstring's first line says what it measures."""

    def measure(self, scale: Scale) -> Iterator[Figure]:
        """The figures of the stage, each as soon as it is known. `ci`: under two minutes on two cores."""
        ...
