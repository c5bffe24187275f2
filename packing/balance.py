"""Rows put in an order in which the ranks of a lockstep trainer finish each micro-step together: what stands in one
micro-step costs nearly the same on every rank, and every row comes exactly once.

Full rows differ in attention alone, which grows with the square of a document's length. Rows are shuffled, sorted by
cost within windows of the shuffle, cut into micro-steps, and these are shuffled again: sorting all rows would be a
curriculum. A row keeps the same chance to come at any time, and micro-steps of all costs alternate.

Simulated, 64 ranks, one row a micro-step, ZeRO-3 in lockstep, 115,512 rows of the paper's lengths, Qwen2.5-32B: the
slowest rank takes 1.21 of the mean over shuffled rows, 1.04 in windows of 256, 1.008 of 1024, 1.002 of 4096.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class RowCost:
    """What a row costs, in tokens of linear work: its T tokens, and `quadratic` for each pair L^2 of its documents."""

    quadratic: float = 1e-5  # that of Qwen2.5-32B

    def __post_init__(self) -> None:
        if not 0.0 <= self.quadratic < float("inf"):
            raise ValueError(f"quadratic: {self.quadratic} is outside [0, inf)")

    @classmethod
    def of_transformer(cls, *, num_parameters: int, num_layers: int, attention_width: int) -> "RowCost":
        """Of a decoder with causal attention: 6 FLOPs a token and parameter (those of the embedding apart), and
        6 L^2 a layer and unit of attention width (query heads x head size) for both products and their gradients.
        """
        return cls(quadratic=num_layers * attention_width / num_parameters)

    def of_rows(self, num_tokens: NDArray[np.int64], squares: NDArray[np.int64]) -> NDArray[np.float64]:
        """Cost of R rows from their tokens and the sum of the squares of their documents' lengths, int64[R] each."""
        costs: NDArray[np.float64] = num_tokens + self.quadratic * squares
        return costs


def row_sums(
    lengths: NDArray[np.int64], row_of: NDArray[np.int32], num_rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens of each row and the sum of its documents' squared lengths, from a plan's `row_of` (-1: in no row)."""
    packed = row_of >= 0
    rows, kept = row_of[packed], lengths[packed].astype(np.float64)  # exact: a row's squares stay below 2^53 ...
    tokens = np.bincount(rows, weights=kept, minlength=num_rows).astype(np.int64)
    squares = np.bincount(rows, weights=kept * kept, minlength=num_rows).astype(np.int64)  # ... up to 94 M tokens
    return tokens, squares


def balanced_order(
    costs: NDArray[np.float64],
    *,
    num_ranks: int,
    rows_per_rank: int = 1,
    window_rows: int = WINDOW_ROWS,
    seed: int | tuple[int, ...],
    lead_rows: int = 0,
) -> NDArray[np.int64]:
    """An order of R rows: micro-step k is the k-th run of num_ranks x rows_per_rank of them, rank r's are the r-th run
    of `rows_per_rank` in it.

    The first `lead_rows` fill up the micro-step in which the order before ended; these, and what is left over at the
    end, are drawn at random. Raises ValueError for numbers below 1, or a negative lead.
    """
    _check_positive(num_ranks=num_ranks, rows_per_rank=rows_per_rank, window_rows=window_rows)
    group = num_ranks * rows_per_rank
    if not 0 <= lead_rows < group:
        raise ValueError(f"lead_rows: {lead_rows} is outside [0, {group})")
    random = np.random.default_rng(seed)
    order = random.permutation(len(costs))
    lead = min(lead_rows, len(order))
    whole = len(order) - (len(order) - lead) % group
    window = max(1, window_rows // group) * group
    for start in range(lead, whole, window):
        rows = order[start : min(start + window, whole)]
        rows = rows[np.argsort(-costs[rows], kind="stable")].reshape(-1, rows_per_rank, num_ranks)
        rows[:, 1::2] = rows[:, 1::2, ::-1]  # who got the dearest of the first gets the cheapest of the second
        rows = rows[random.permutation(len(rows))].transpose(0, 2, 1)
        order[start : start + rows.size] = rows.reshape(-1)
    return order


def share_out(
    costs: NDArray[np.float64], *, num_ranks: int, rows_per_rank: int, num_micro_steps: int
) -> NDArray[np.int64]:
    """Who takes which of the R rows of a global batch: places in it, int64[num_micro_steps, num_ranks, rows_per_rank],
    -1 where there is none. Rows of like cost share a micro-step; the dearest come first.

    A function of the costs alone: where the number of ranks changes, the batch does not.
    """
    _check_positive(num_ranks=num_ranks, rows_per_rank=rows_per_rank, num_micro_steps=num_micro_steps)
    places = np.full((num_micro_steps, rows_per_rank, num_ranks), -1, np.int64)
    if len(costs) > places.size:
        raise ValueError(f"{len(costs)} rows are more than the {places.size} of a global batch")
    places.reshape(-1)[: len(costs)] = np.argsort(-costs, kind="stable")
    places[:, 1::2] = places[:, 1::2, ::-1].copy()  # who got the dearest of the first gets the cheapest of the second
    return places.transpose(0, 2, 1)


def lockstep_slowdown(
    costs: NDArray[np.float64], order: NDArray[np.int64], *, num_ranks: int, rows_per_rank: int = 1
) -> float:
    """How much longer than with perfect balance the whole micro-steps of `order` take when each lasts as long as its
    slowest rank; 1.0 where there is none.
    """
    _check_positive(num_ranks=num_ranks, rows_per_rank=rows_per_rank)
    group = num_ranks * rows_per_rank
    whole = order[: len(order) - len(order) % group]
    if not len(whole):
        return 1.0
    of_ranks = costs[whole].reshape(-1, num_ranks, rows_per_rank).sum(axis=2)
    return float(of_ranks.max(axis=1).sum() / of_ranks.mean(axis=1).sum())


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}: {number} is not positive")
