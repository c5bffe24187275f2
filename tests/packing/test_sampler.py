import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.packing.balance import lockstep_slowdown
from reasonmill.packing.sampler import RowOrder


def costs_of(num_rows: int) -> np.ndarray:
    return np.random.default_rng(9).random(num_rows)


def orders(seed: int, balanced: bool, **shape) -> RowOrder:
    return RowOrder(seed, costs_of=costs_of if balanced else None, **shape)


@given(st.integers(1, 60), st.booleans(), st.integers(1, 5), st.integers(1, 3), st.data())
def test_a_position_is_all_there_is_to_resume_from(num_rows, balanced, num_ranks, rows_per_rank, data):
    shape = {"num_ranks": num_ranks, "rows_per_rank": rows_per_rank}
    undisturbed = orders(7, balanced, **shape)
    sequence = [undisturbed.row(position, num_rows) for position in range(4 * num_rows)]
    for epoch in range(4):
        assert sorted(sequence[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))
    assert sequence[:num_rows] == list(range(num_rows))
    resumed_at = data.draw(st.integers(0, 4 * num_rows - 1))
    resumed = orders(7, balanced, **shape)
    assert [resumed.row(position, num_rows) for position in range(resumed_at, 4 * num_rows)] == sequence[resumed_at:]


def test_every_pass_and_every_seed_has_an_order_of_its_own():
    def passes(seed: int, balanced: bool) -> list[tuple[int, ...]]:
        order = orders(seed, balanced, num_ranks=4)
        return [tuple(order.row(epoch * 50 + place, 50) for place in range(50)) for epoch in range(1, 4)]

    found = [one for seed in (1, 2) for balanced in (False, True) for one in passes(seed, balanced)]
    assert len(set(found)) == len(found)


def test_micro_steps_stay_balanced_where_a_pass_ends_within_one():
    num_rows, num_ranks = 1003, 8
    order = RowOrder(3, num_ranks=num_ranks, costs_of=costs_of, window_rows=1024)
    sequence = np.array([order.row(position, num_rows) for position in range(num_rows, 4 * num_rows)])
    skipped = -num_rows % num_ranks  # to the first whole micro-step of the second pass
    assert lockstep_slowdown(costs_of(num_rows), sequence[skipped:], num_ranks=num_ranks) < 1.02
    assert lockstep_slowdown(costs_of(num_rows), sequence[skipped + 4 :], num_ranks=num_ranks) > 1.02


@given(st.integers(1, 60), st.integers(1, 5))
def test_a_first_pass_may_be_ordered_like_the_later_ones(num_rows, num_ranks):
    order = orders(7, True, num_ranks=num_ranks, published_first=False)
    sequence = [order.row(position, num_rows) for position in range(3 * num_rows)]
    for epoch in range(3):
        assert sorted(sequence[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))
    if num_rows > 20:
        assert sequence[:num_rows] != list(range(num_rows))
        assert sequence[:num_rows] != sequence[num_rows : 2 * num_rows]
