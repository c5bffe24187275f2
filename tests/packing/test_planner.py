from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.packing.planner import Plan, checked_lengths, fill, pack_lengths, plan_reference
from reasonmill.packing.planner_compiled import plan_compiled

# capacities beside the 64-ary borders of the compiled planner's bitset, and some others
CAPACITIES = st.one_of(st.sampled_from([1, 2, 63, 64, 65, 4095, 4096, 4097, 32768]), st.integers(1, 5000))


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


@given(problems())
def test_equal_lengths_give_equal_plans(problem):
    lengths, capacity = problem
    first, second = pack_lengths(lengths, capacity), pack_lengths(np.array(lengths, np.uint32), capacity)
    assert first.num_rows == second.num_rows
    assert first.row_of.tolist() == second.row_of.tolist()
    assert first.offset_of.tolist() == second.offset_of.tolist()


@settings(deadline=None)
@given(problems())
def test_the_compiled_planner_is_bit_identical_to_the_plain_one(problem):
    lengths, capacity = problem
    checked = checked_lengths(lengths)
    plain, compiled = plan_reference(checked, capacity), Plan(**plan_compiled(checked, capacity))
    assert plain.num_rows == compiled.num_rows
    assert plain.row_of.tolist() == compiled.row_of.tolist()
    assert plain.offset_of.tolist() == compiled.offset_of.tolist()


def test_many_documents_of_the_papers_lengths_fill_their_rows():
    # lengths drawn like those of arXiv 2505.14464 figure 3: log-normal, mean 3785
    draw = np.random.Generator(np.random.PCG64(1)).standard_normal(20_000)
    lengths = np.clip(np.rint(np.exp(7.75 + draw)), 16, 32768).astype(np.int64)
    assert fill(lengths, pack_lengths(lengths, 32768), 32768) > 0.999


def test_each_document_goes_to_the_fullest_row_that_has_room():
    plan = pack_lengths([6, 5, 4, 5], 10)
    assert plan.row_of.tolist() == [0, 1, 0, 1]
    assert plan.offset_of.tolist() == [0, 0, 6, 5]


@pytest.mark.parametrize(
    ("lengths", "capacity", "told"),
    [
        ([3, 0, 2], 10, "length of document 1 is 0"),
        ([3, -4], 10, "length of document 1 is -4"),
        ([1.5], 10, "float64"),
        ([[1, 2]], 10, "shape"),
        ([1], 0, "capacity 0"),
        ([1], 2**31, "capacity 2147483648"),
    ],
)
def test_wrong_lengths_are_named(lengths, capacity, told):
    with pytest.raises(ValueError, match=told):
        pack_lengths(lengths, capacity)


def test_capacities_beyond_the_compiled_planners_memory_are_planned_too():
    plan = pack_lengths([2**30, 2**30, 2**30, 7], 2**31 - 1)
    assert plan.row_of.tolist() == [0, 1, 2, 2]
