import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import best_fit_reference, native_available
from reasonmill.kernels.best_fit import best_fit_decreasing, best_fit_in_order

# beside the 64-ary borders of the native bitset, where the table gives way to the tree, and at the end of int32
CAPACITIES = st.one_of(
    st.sampled_from([1, 2, 63, 64, 65, 1000, 4095, 4096, 4097, 32749, 32768, 2**16, 2**16 + 1, 2**24, 2**31 - 1]),
    st.integers(1, 5000),
)


@st.composite
def problems(draw):
    capacity = draw(CAPACITIES)
    few = draw(st.booleans())  # few different lengths: long runs of equal ones
    longest = min(capacity, 12) if few else max(2, capacity + capacity // 4)
    lengths = draw(st.lists(st.integers(1, longest), max_size=200))
    return np.array(lengths, np.int64), capacity


def same(one, other) -> bool:
    return one[2] == other[2] and one[0].tolist() == other[0].tolist() and one[1].tolist() == other[1].tolist()


@settings(max_examples=300)
@given(problems())
def test_the_native_planner_is_bit_identical_to_the_plain_one(problem):
    assert native_available
    lengths, capacity = problem
    order = best_fit_reference.decreasing_order(lengths)
    assert same(best_fit_decreasing(lengths, capacity), best_fit_reference.best_fit(lengths, order, capacity))


@given(problems(), st.randoms(use_true_random=False))
def test_best_fit_in_any_order_is_bit_identical_to_the_plain_one(problem, random):
    lengths, capacity = problem
    order = np.array(random.sample(range(len(lengths)), len(lengths)), np.int64)
    assert same(best_fit_in_order(lengths, order, capacity), best_fit_reference.best_fit(lengths, order, capacity))


@given(problems())
def test_longest_first_is_best_fit_in_that_order(problem):
    lengths, capacity = problem
    order = best_fit_reference.decreasing_order(lengths)
    assert same(best_fit_decreasing(lengths, capacity), best_fit_in_order(lengths, order, capacity))


@pytest.mark.parametrize("capacity", [4096, 2**31 - 1])
def test_without_the_native_module_the_reference_does_the_work(monkeypatch, capacity):
    lengths = np.random.default_rng(0).integers(1, 5000, 500)
    native = best_fit_decreasing(lengths, capacity), best_fit_in_order(lengths, np.arange(500), capacity)
    monkeypatch.setattr("reasonmill.kernels.best_fit.native_available", False)
    plain = best_fit_decreasing(lengths, capacity), best_fit_in_order(lengths, np.arange(500), capacity)
    assert same(native[0], plain[0])
    assert same(native[1], plain[1])
