"""Rates of a run: what they are fitted to is found again."""

import random

import pytest

from reasonmill.engine.plan.measured import SortedQuantile, fit
from reasonmill.engine.simulation.profiles import PassRate


@pytest.mark.parametrize("rate", [PassRate(mean=1.9, spread=2.0), PassRate(mean=-0.5, spread=1.0)])
def test_a_pass_rate_is_found_from_attempts_until_right(rate):
    chance = random.Random(1)
    tried = []
    for _ in range(4000):
        passes = rate.at(chance.gauss(0.0, 1.0))
        attempts = []
        while len(attempts) < 6 and not (attempts and attempts[-1]):
            attempts.append(chance.random() < passes)
        tried.append(attempts)
    found = fit(tried)
    assert found.average == pytest.approx(rate.average, abs=0.02)
    assert found.spread == pytest.approx(rate.spread, rel=0.25)


def test_measured_lengths_are_read_between_their_neighbours():
    quantile = SortedQuantile(lengths=(10.0, 20.0, 40.0))
    assert [quantile(share) for share in (1e-9, 0.25, 0.5, 0.75, 1.0 - 1e-9)] == pytest.approx([10, 15, 20, 30, 40])
