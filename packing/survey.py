"""What rows look like before they are read: fill, waste, and how long ranks would wait for each other. Needs lengths
alone, and gives the same figures for lengths as for the set that is packed from them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.balance import RowCost, balanced_order, lockstep_slowdown
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.stream import RowPacker


@dataclass(frozen=True, kw_only=True)
class RankBalance:
    """How much longer than the mean rank the slowest takes in a micro-step of `num_ranks` rows, as `lockstep_slowdown`:
    over shuffled rows, and over rows in balanced order.
    """

    num_ranks: int
    shuffled: float
    balanced: float


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Of D documents in R rows. `waste` slots hold no token; `fill` is the share of those that do. Documents longer
    than a row are in no other number than `num_excluded` and `longest`, which is a length in tokens.
    """

    num_documents: int
    num_rows: int
    num_tokens: int
    fill: float
    waste: int
    num_excluded: int
    longest: int
    balance: tuple[RankBalance, ...]


def survey_lengths(lengths: Iterable[int], settings: PackSettings, *, num_ranks: Sequence[int] = (8, 64)) -> Survey:
    """Of documents of `lengths` in the order of their arrival; those longer than a row are excluded.

    Raises ValueError naming a length below 1.
    """
    packer = RowPacker(settings.max_length, settings.window, settings.min_fill, settings.max_wait_documents)
    kept: list[int] = []
    excluded: list[int] = []
    rows = []
    for number, length in enumerate(lengths):
        if length < 1:
            raise ValueError(f"length of document {number} is {length}, expected at least 1 token")
        if length > settings.max_length:
            excluded.append(length)
        else:
            rows += packer.add(len(kept), length)
            kept.append(length)
    rows += packer.flush()
    sizes = np.array(kept, np.int64)
    return survey_rows(
        num_tokens=np.array([row.num_tokens for row in rows], np.int64),
        squares=np.array([int((sizes[list(row.documents)] ** 2).sum()) for row in rows], np.int64),
        max_length=settings.max_length,
        num_documents=len(kept),
        num_excluded=len(excluded),
        longest=max([*excluded, *kept], default=0),
        num_ranks=num_ranks,
    )


def survey_rows(
    *,
    num_tokens: NDArray[np.int64],
    squares: NDArray[np.int64],
    max_length: int,
    num_documents: int,
    num_excluded: int,
    longest: int,
    num_ranks: Sequence[int] = (8, 64),
) -> Survey:
    """Of rows with `num_tokens` tokens and `squares` the sums of their documents' squared lengths, int64[R] each."""
    slots = len(num_tokens) * max_length
    total = int(num_tokens.sum())
    costs = RowCost().of_rows(num_tokens, squares)
    return Survey(
        num_documents=num_documents,
        num_rows=len(num_tokens),
        num_tokens=total,
        fill=total / slots if slots else 1.0,
        waste=slots - total,
        num_excluded=num_excluded,
        longest=longest,
        balance=tuple(_balance(costs, ranks) for ranks in sorted(set(num_ranks)) if 1 < ranks <= len(costs)),
    )


def _balance(costs: NDArray[np.float64], num_ranks: int) -> RankBalance:
    shuffled = np.random.default_rng(0).permutation(len(costs))
    return RankBalance(
        num_ranks=num_ranks,
        shuffled=lockstep_slowdown(costs, shuffled, num_ranks=num_ranks),
        balanced=lockstep_slowdown(costs, balanced_order(costs, num_ranks=num_ranks, seed=0), num_ranks=num_ranks),
    )
