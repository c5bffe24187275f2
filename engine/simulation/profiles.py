"""Published lengths and pass rates as functions: a share of answers in, the length below which they stay out."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import NormalDist
from typing import Any, Protocol

import orjson

from reasonmill.engine.simulation.settings import SimulationSettings

LONGEST = 32_768  # tokens of an accepted answer: longer ones are not trained on (arXiv 2505.14464 section 3.1)
_NORMAL = NormalDist()
_QUARTILES = 2 * _NORMAL.inv_cdf(0.75)  # distance of a standard normal's quartiles


class Quantile(Protocol):
    """An answer's length in tokens, by the share of answers that are shorter."""

    def __call__(self, share: float, /) -> float:
        """Length at `share`, in (0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class PassRate:
    """A query's chance of a right answer: Phi(mean + spread * z), z its standard normal ease."""

    mean: float
    spread: float

    def at(self, ease: float) -> float:
        """The chance at this ease."""
        return _NORMAL.cdf(self.mean + self.spread * ease)

    @property
    def average(self) -> float:
        """The chance over all queries."""
        return _NORMAL.cdf(self.mean / math.sqrt(1.0 + self.spread**2))


@dataclass(frozen=True, kw_only=True, slots=True)
class HistogramQuantile:
    """Straight within each bin; the open bin falls off as a power that gives the whole the mean that was printed."""

    edges: tuple[float, ...]
    cumulated: tuple[float, ...]  # share below each edge
    tail_power: float

    def __call__(self, share: float, /) -> float:
        """Length at `share`."""
        place = bisect_right(self.cumulated, share) - 1
        begin, low = self.edges[place], self.cumulated[place]
        if place == len(self.edges) - 1:
            return begin + (LONGEST - begin) * math.pow((share - low) / (1.0 - low), self.tail_power)
        return begin + (self.edges[place + 1] - begin) * (share - low) / (self.cumulated[place + 1] - low)


@dataclass(frozen=True, kw_only=True, slots=True)
class LognormalQuantile:
    """A lognormal cut off at LONGEST."""

    location: float
    spread: float
    kept: float  # its share below LONGEST

    def __call__(self, share: float, /) -> float:
        """Length at `share`."""
        return math.exp(self.location + self.spread * _NORMAL.inv_cdf(share * self.kept))


def length_quantiles(profile: str) -> Mapping[str, Quantile]:
    """Lengths of a teacher's accepted answers by category: math by its histogram, the others as lognormals with the
    category's mean and the spread of math's quartiles.
    """
    figures = _figures()
    box = figures["math_tokens_box"]["values"][profile]
    spread = math.log(box["q3"] / box["q1"]) / _QUARTILES
    means = figures["mean_tokens"]["values"][profile]
    quantiles: dict[str, Quantile] = {
        category: _lognormal(mean, spread) for category, mean in means.items() if category != "math"
    }
    histogram = figures["math_tokens_histogram"]
    quantiles["math"] = _histogram(box["low"], histogram["edges"], histogram["counts"][profile], means["math"])
    quantiles["multiturn"] = quantiles["other"]
    return quantiles


def pass_rates(settings: SimulationSettings) -> Mapping[str, PassRate]:
    """Pass rates by category, as the settings change them."""
    fitted = _figures()["pass_rate"]["values"][settings.passes]
    rates = {category: _changed(PassRate(**one), settings) for category, one in fitted.items()}
    return rates | {"other": rates["science"], "multiturn": rates["science"]}


def category_shares() -> Mapping[str, float]:
    """Shares of the categories among the queries; they add up to 1."""
    instances = _figures()["instances_K"]["values"]
    total = sum(instances.values())
    return {category: number / total for category, number in instances.items()}


def _changed(rate: PassRate, settings: SimulationSettings) -> PassRate:
    spread = rate.spread if settings.pass_spread is None else settings.pass_spread
    wanted = rate.average if settings.pass_rate is None else settings.pass_rate
    inside = min(max(wanted, 1e-9), 1.0 - 1e-9)
    if wanted != inside:  # always or never
        return PassRate(mean=math.copysign(40.0, wanted - 0.5), spread=0.0)
    return PassRate(mean=_NORMAL.inv_cdf(inside) * math.sqrt(1.0 + spread**2), spread=spread)


def _histogram(low: float, edges: list[float], counts: list[int], mean: float) -> HistogramQuantile:
    begins = (low, *edges[1:])
    total = sum(counts)
    cumulated = tuple(sum(counts[:place]) / total for place in range(len(counts)))
    bodies = sum(
        share * (begin + end) / 2
        for share, begin, end in zip((n / total for n in counts), begins, begins[1:], strict=False)
    )
    tail_mean = (mean - bodies) / (counts[-1] / total)  # begin + (LONGEST - begin) / (power + 1)
    power = (LONGEST - begins[-1]) / (tail_mean - begins[-1]) - 1.0
    assert power > 0.0, f"no tail gives the mean {mean}"
    return HistogramQuantile(edges=begins, cumulated=cumulated, tail_power=power)


def _lognormal(mean: float, spread: float) -> LognormalQuantile:
    """The cut lognormal with this mean, its location found by halving."""
    low, high = math.log(mean) - spread**2, math.log(LONGEST)
    for _ in range(60):
        location = (low + high) / 2
        if _cut_mean(location, spread) < mean:
            low = location
        else:
            high = location
    return LognormalQuantile(location=low, spread=spread, kept=_NORMAL.cdf((math.log(LONGEST) - low) / spread))


def _cut_mean(location: float, spread: float) -> float:
    end = (math.log(LONGEST) - location) / spread
    return math.exp(location + spread**2 / 2) * _NORMAL.cdf(end - spread) / _NORMAL.cdf(end)


@cache
def _figures() -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(resources.files(__package__).joinpath("profiles.json").read_bytes())
    return content
