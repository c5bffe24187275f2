"""Estimates against enumeration and simulation."""

import itertools
import math
import random

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.evaluate.estimates import interval, mean_and_stderr, pass_at_k


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_sample(rights, data):
    k = data.draw(st.integers(1, len(rights)))
    draws = list(itertools.combinations(rights, k))
    expected = sum(any(draw) for draw in draws) / len(draws)
    assert math.isclose(pass_at_k(sum(rights), len(rights), k), expected, abs_tol=1e-12)


@given(st.integers(0, 64), st.integers(1, 64))
def test_pass_at_k_grows_with_k_and_pass_at_1_is_the_mean(right, num):
    right = min(right, num)
    values = [pass_at_k(right, num, k) for k in range(1, num + 1)]
    assert math.isclose(values[0], right / num, abs_tol=1e-12)
    assert values == sorted(values)
    assert values[-1] == (1.0 if right else 0.0)


@given(st.floats(0, 1), st.one_of(st.none(), st.floats(0, 0.5)), st.integers(1, 500), st.integers(1, 64))
def test_an_interval_holds_the_mean_and_has_a_width(mean, stderr, num_questions, samples):
    low, high = interval(mean, stderr, num_questions=num_questions, num_samples=num_questions * samples)
    assert 0.0 <= low <= mean <= high <= 1.0
    assert low < high


def test_all_right_is_not_certainty():
    low, high = interval(1.0, 0.0, num_questions=30, num_samples=1920)
    assert 0.85 < low < 0.95  # Wilson's for 30 of 30, not for 1920 of 1920
    assert high == 1.0


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng = random.Random(7)
    for shape in ((2.0, 1.0), (0.3, 0.3), (8.0, 1.0)):
        truth = shape[0] / sum(shape)
        held = 0
        for _ in range(1000):
            rates = [sum(rng.random() < p for _ in range(4)) / 4 for p in (rng.betavariate(*shape) for _ in range(30))]
            mean, stderr = mean_and_stderr(rates)
            low, high = interval(mean, stderr, num_questions=30, num_samples=120)
            held += low <= truth <= high
        assert held >= 925, (shape, held)
