import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.packing import pack_lengths
from reasonmill.packing.balance import RowCost, balanced_order, lockstep_slowdown, row_sums, share_out


def costs_of_papers_rows(count: int) -> np.ndarray:
    """Costs for Qwen2.5-32B of rows of log-normal lengths, mean 3785, as in arXiv 2505.14464 figure 3."""
    draw = np.random.Generator(np.random.PCG64(1)).standard_normal(count)
    lengths = np.clip(np.rint(np.exp(7.75 + draw)), 16, 32768).astype(np.int64)
    plan = pack_lengths(lengths, 32768)
    return RowCost().of_rows(*row_sums(lengths, plan.row_of, plan.num_rows))


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 4), st.integers(1, 100), st.integers(0, 2**40))
def test_every_row_comes_once_in_an_order_that_the_seed_decides(num_rows, num_ranks, rows_per_rank, window, seed):
    costs = np.random.default_rng(0).random(num_rows)
    shape = {"num_ranks": num_ranks, "rows_per_rank": rows_per_rank, "window_rows": window, "seed": seed}
    for lead in (0, num_ranks * rows_per_rank - 1):
        order = balanced_order(costs, **shape, lead_rows=lead)
        assert sorted(order.tolist()) == list(range(num_rows))
        assert order.tolist() == balanced_order(costs, **shape, lead_rows=lead).tolist()


def test_ranks_in_lockstep_wait_for_less_than_a_hundredth():
    costs = costs_of_papers_rows(80_000)
    shuffled = np.random.default_rng(0).permutation(len(costs))
    for num_ranks, rows_per_rank in ((8, 1), (32, 1), (64, 1), (32, 2)):
        order = balanced_order(costs, num_ranks=num_ranks, rows_per_rank=rows_per_rank, window_rows=2048, seed=3)
        shape = {"num_ranks": num_ranks, "rows_per_rank": rows_per_rank}
        assert lockstep_slowdown(costs, order, **shape) < 1.01
        assert lockstep_slowdown(costs, shuffled, **shape) > 1.08


def test_micro_steps_of_all_costs_alternate():
    costs = costs_of_papers_rows(80_000)
    order = balanced_order(costs, num_ranks=64, seed=5)
    of_micro_steps = costs[order[: len(order) // 64 * 64]].reshape(-1, 64).mean(axis=1)
    lag_one = np.corrcoef(of_micro_steps[:-1], of_micro_steps[1:])[0, 1]
    assert abs(lag_one) < 0.25
    halves = np.array_split(of_micro_steps, 2)
    assert abs(halves[0].mean() / halves[1].mean() - 1) < 0.02


def test_a_lead_fills_up_the_micro_step_before():
    costs = np.repeat([1.0, 2.0, 3.0, 4.0], 4)
    order = balanced_order(costs, num_ranks=4, window_rows=16, seed=0, lead_rows=2)
    groups = costs[order[2:14]].reshape(-1, 4)
    assert lockstep_slowdown(costs, order[2:], num_ranks=4) < lockstep_slowdown(costs, order, num_ranks=4)
    assert (groups.max(axis=1) - groups.min(axis=1)).max() <= 1.0


def test_costs_are_linear_in_tokens_and_quadratic_in_documents():
    lengths, row_of = np.array([3, 4, 5, 9]), np.array([0, 0, 1, -1], np.int32)
    tokens, squares = row_sums(lengths, row_of, 3)
    assert tokens.tolist() == [7, 5, 0]
    assert squares.tolist() == [25, 25, 0]
    assert RowCost(quadratic=0.5).of_rows(tokens, squares).tolist() == [19.5, 17.5, 0.0]


def test_attention_of_a_32b_model_is_a_quarter_of_a_row_that_one_document_fills():
    cost = RowCost.of_transformer(num_parameters=32_760_000_000, num_layers=64, attention_width=5120)
    share = 1 - 32768 / cost.of_rows(np.array([32768]), np.array([32768**2]))[0]
    assert 0.24 < share < 0.26


def test_too_few_rows_for_a_micro_step_slow_nobody_down():
    assert lockstep_slowdown(np.ones(3), np.arange(3), num_ranks=4) == 1.0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num_ranks": 0}, "num_ranks: 0"),
        ({"num_ranks": 2, "rows_per_rank": 0}, "rows_per_rank: 0"),
        ({"num_ranks": 2, "window_rows": 0}, "window_rows: 0"),
        ({"num_ranks": 2, "lead_rows": 2}, r"lead_rows: 2 is outside \[0, 2\)"),
    ],
)
def test_a_senseless_number_is_named(settings, told):
    with pytest.raises(ValueError, match=told):
        balanced_order(np.ones(8), seed=0, **settings)


def test_a_negative_cost_is_refused():
    with pytest.raises(ValueError, match="quadratic: -1"):
        RowCost(quadratic=-1.0)


@given(st.integers(1, 8), st.integers(1, 3), st.integers(1, 4), st.data())
def test_a_batch_is_shared_out_whole_and_dear_rows_stand_beside_dear_ones(num_ranks, rows_per_rank, micro_steps, data):
    size = num_ranks * rows_per_rank * micro_steps
    costs = np.array(data.draw(st.lists(st.floats(1.0, 9.0), min_size=1, max_size=size)))
    shape = {"num_ranks": num_ranks, "rows_per_rank": rows_per_rank, "num_micro_steps": micro_steps}
    shares = share_out(costs, **shape)
    assert shares.shape == (micro_steps, num_ranks, rows_per_rank), "as many micro-steps on every rank"
    assert sorted(place for place in shares.ravel() if place >= 0) == list(range(len(costs)))
    levels = [costs[of_all[of_all >= 0]] for of_all in shares]
    for before, after in itertools.pairwise(levels):
        assert not len(after) or before.min() >= after.max()


def test_a_batch_of_equal_micro_steps_keeps_no_rank_waiting():
    costs = costs_of_papers_rows(80_000)
    order = balanced_order(costs, num_ranks=64, seed=3)
    for num_ranks, micro_steps in ((64, 1), (16, 4), (8, 8)):  # the same batches, whatever the number of ranks
        longest = mean = 0.0
        for start in range(0, len(order) // 64 * 64, 64):
            batch = costs[order[start : start + 64]]
            shares = share_out(batch, num_ranks=num_ranks, rows_per_rank=1, num_micro_steps=micro_steps)
            of_ranks = batch[shares].sum(axis=2)
            longest, mean = longest + of_ranks.max(axis=1).sum(), mean + of_ranks.mean(axis=1).sum()
        assert longest / mean < 1.01


def test_more_rows_than_a_batch_has_places_are_refused():
    with pytest.raises(ValueError, match="5 rows are more than the 4 of a global batch"):
        share_out(np.ones(5), num_ranks=2, rows_per_rank=1, num_micro_steps=2)
    with pytest.raises(ValueError, match="num_micro_steps: 0"):
        share_out(np.ones(5), num_ranks=2, rows_per_rank=1, num_micro_steps=0)
