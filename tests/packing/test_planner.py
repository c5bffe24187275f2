import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.packing import Plan, pack_lengths
from reasonmill.packing.planner import fill

CAPACITIES = st.one_of(
    st.sampled_from([1, 2, 63, 64, 65, 1000, 4096, 32749, 32768, 2**24 + 1, 2**31 - 1]), st.integers(1, 5000)
)


@st.composite
def problems(draw):
    capacity = draw(CAPACITIES)
    lengths = draw(st.lists(st.integers(1, max(2, capacity + capacity // 4)), max_size=200))
    return lengths, capacity


def rows_of(plan: Plan) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(plan.num_rows)]
    for document, row in enumerate(plan.row_of.tolist()):
        if row >= 0:
            rows[row].append(document)
    return rows


@given(problems())
def test_every_document_that_fits_is_in_one_row_and_no_row_is_over_capacity(problem):
    lengths, capacity = problem
    plan = pack_lengths(lengths, capacity)
    assert [row >= 0 for row in plan.row_of.tolist()] == [length <= capacity for length in lengths]
    assert plan.excluded.tolist() == [number for number, length in enumerate(lengths) if length > capacity]
    for row in rows_of(plan):
        assert row, "no row is empty"
        slots = sorted((int(plan.offset_of[d]), lengths[d]) for d in row)
        assert slots[0][0] == 0
        for (offset, length), (following, _) in pairwise(slots):
            assert offset + length == following
        assert sum(slots[-1]) <= capacity


@given(problems())
def test_rows_stay_within_the_bound_of_decreasing_fit(problem):
    lengths, capacity = problem
    plan = pack_lengths(lengths, capacity)
    total = sum(length for length in lengths if length <= capacity)
    large = sum(1 for length in lengths if capacity < 2 * length <= 2 * capacity)
    lower_bound = max(-(-total // capacity), large)
    # any two rows hold more than one capacity together, or the later document had gone into the earlier row
    assert lower_bound <= plan.num_rows <= max(1, 2 * lower_bound) if total else plan.num_rows == 0


@given(problems(), st.sampled_from(["u4", "i8", "u8", ">i8", ">u4"]))
def test_equal_lengths_give_equal_plans_whatever_holds_them(problem, dtype):
    lengths, capacity = problem
    first = pack_lengths(lengths, capacity)
    frozen = np.array(lengths, dtype)
    frozen.setflags(write=False)
    strided = np.repeat(np.array(lengths, dtype), 3)[::3]
    for held in (frozen, strided, tuple(lengths), np.array(lengths, object)):
        plan = pack_lengths(held, np.int64(capacity))
        assert plan.num_rows == first.num_rows
        assert plan.row_of.tolist() == first.row_of.tolist()
        assert plan.offset_of.tolist() == first.offset_of.tolist()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
def test_small_integers_are_lengths_too(dtype):
    plan = pack_lengths(np.array([100, 27, 100, 1], dtype), 127)
    assert plan.row_of.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("lengths", "capacity", "row_of", "num_rows"),
    [
        ([], 5, [], 0),
        (np.zeros(0, np.float64), 5, [], 0),
        ([1, 1, 1], 1, [0, 1, 2], 3),
        ([7] * 5, 14, [0, 0, 1, 1, 2], 3),
        ([9, 9], 8, [-1, -1], 0),
        ([2**40, 3, 2**70, 2**63], 8, [-1, 0, -1, -1], 1),
        (np.array([2**64 - 1, 4], np.uint64), 2**31 - 1, [-1, 0], 1),
        ([2**30, 2**30, 2**30, 7], 2**31 - 1, [0, 1, 2, 2], 3),
        ([2**31 - 1, 1], 2**31 - 1, [0, 1], 2),
        ([6, 5, 4, 5], 10, [0, 1, 0, 1], 2),
    ],
)
def test_plans_at_the_borders(lengths, capacity, row_of, num_rows):
    plan = pack_lengths(lengths, capacity)
    assert plan.row_of.tolist() == row_of
    assert plan.num_rows == num_rows
    assert plan.row_of.dtype == plan.offset_of.dtype == np.int32


def test_many_documents_of_the_papers_lengths_fill_their_rows():
    # lengths drawn like those of arXiv 2505.14464 figure 3: log-normal, mean 3785
    draw = np.random.Generator(np.random.PCG64(1)).standard_normal(20_000)
    lengths = np.clip(np.rint(np.exp(7.75 + draw)), 16, 32768).astype(np.int64)
    assert fill(lengths, pack_lengths(lengths, 32768), 32768) > 0.999


def test_a_million_equal_documents_are_planned():
    assert pack_lengths(np.full(1_000_000, 3), 32749).num_rows == -(-1_000_000 // 10_916)
    assert pack_lengths(np.ones(1_000_000, np.int8), 1).num_rows == 1_000_000


@pytest.mark.parametrize(
    ("lengths", "capacity", "told"),
    [
        ([3, 0, 2], 10, "length of document 1 is 0,"),
        ([3, -4], 10, "length of document 1 is -4,"),
        (np.array([3, -4], np.int8), 10, "length of document 1 is -4,"),
        ([3, -(2**70)], 10, f"length of document 1 is {-(2**70)},"),
        ([1, 1.5], 10, "length of document 1 is 1.5, expected an integer"),
        ([1, None], 10, "length of document 1 is None, expected an integer"),
        (np.array([True, False]), 10, "length of document 0 is True, expected an integer"),
        (np.array([5], "m8[s]"), 10, "length of document 0 is .*5.*, expected an integer"),
        (["12"], 10, "length of document 0 is '12', expected an integer"),
        (np.array([1.0, np.nan]), 10, "length of document 0 is 1.0, expected an integer"),
        ([[1, 2]], 10, r"lengths \(list\) have shape \(1, 2\)"),
        ([[1, 2], [3]], 10, "lengths .list. are no array"),
        ((n for n in (1, 2)), 10, "lengths are of type generator, expected a sequence or an array"),
        (7, 10, "lengths are of type int, expected"),
        (None, 10, "lengths are of type NoneType, expected"),
        ({1: 2}, 10, r"lengths \(dict\) have shape \(\)"),
        ("12", 10, r"lengths \(str\) have shape \(\)"),
        ([1], 0, "capacity 0 is outside"),
        ([1], -1, "capacity -1 is outside"),
        ([1], 2**31, "capacity 2147483648 is outside"),
        ([1], 1.5, "capacity 1.5 is not an integer"),
        ([], None, "capacity None is not an integer"),
    ],
)
def test_wrong_lengths_are_named(lengths, capacity, told):
    with pytest.raises(ValueError, match=told):
        pack_lengths(lengths, capacity)


def test_the_package_is_light_until_a_plan_is_asked_for():
    program = "import sys, reasonmill.packing; print({'numpy', 'numba', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_name_that_the_package_has_not_is_an_attribute_error():
    import reasonmill.packing

    with pytest.raises(AttributeError, match="has no attribute 'pack'"):
        _ = reasonmill.packing.pack
