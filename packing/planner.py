"""Rows for documents of known lengths by exact best-fit-decreasing: every document that fits is in exactly one row, no
row is over capacity, and equal lengths give equal plans.

Documents are taken longest first (equal lengths in input order); each goes to the fullest row that still has room for
it (of equally full rows, to the one touched last), else opens a new row. Never more than 11/9 OPT + 6/9 rows (Dósa).
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reasonmill.kernels.best_fit import best_fit_decreasing

MAX_CAPACITY = 2**31 - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """`row_of` int32[N]: row of each document, -1 when it is longer than a row; `offset_of` int32[N]: first slot."""

    row_of: NDArray[np.int32]
    offset_of: NDArray[np.int32]
    num_rows: int

    @property
    def excluded(self) -> NDArray[np.int64]:
        """Indices of the documents that are longer than a row."""
        return np.flatnonzero(self.row_of < 0)


def pack_lengths(lengths: ArrayLike, capacity: int) -> Plan:
    """Plan documents of `lengths` (N positive integers) into rows of `capacity` tokens.

    Raises ValueError for a capacity outside [1, 2**31), a length that is no positive integer, or lengths of no
    one-dimensional shape; names the first offender.
    """
    row_of, offset_of, num_rows = best_fit_decreasing(checked_lengths(lengths), checked_capacity(capacity))
    return Plan(row_of=row_of, offset_of=offset_of, num_rows=num_rows)


def checked_capacity(capacity: int) -> int:
    """`capacity` as int. Raises ValueError for what is no integer in [1, 2**31)."""
    try:
        checked = operator.index(capacity)
    except TypeError:
        raise ValueError(f"capacity {capacity!r} is not an integer") from None
    if not 1 <= checked <= MAX_CAPACITY:
        raise ValueError(f"capacity {checked} is outside [1, {MAX_CAPACITY}]")
    return checked


def checked_lengths(lengths: ArrayLike) -> NDArray[np.int64]:
    """`lengths` as contiguous int64[N]. Raises ValueError naming the first that is no positive integer."""
    if not hasattr(lengths, "__len__") and not hasattr(lengths, "__array__"):
        raise ValueError(f"lengths are of type {type(lengths).__name__}, expected a sequence or an array")
    try:
        given = np.asarray(lengths)
    except ValueError as error:
        raise ValueError(f"lengths ({type(lengths).__name__}) are no array: {error}") from None
    if given.ndim != 1:
        raise ValueError(f"lengths ({type(lengths).__name__}) have shape {given.shape}, expected one dimension")
    if given.size == 0:
        return np.zeros(0, np.int64)
    if given.size > MAX_CAPACITY:
        raise ValueError(f"{given.size} documents are more than the {MAX_CAPACITY} of one plan")
    if given.dtype.kind not in "iu":
        given = _whole_numbers(lengths if isinstance(lengths, list | tuple) else given.tolist())
    if int(given.min()) < 1:
        first = int(np.argmax(given < 1))
        raise ValueError(f"length of document {first} is {given[first]}, expected at least 1 token")
    if given.dtype.kind == "u" and given.dtype.itemsize == 8:
        given = np.minimum(given, np.uint64(MAX_CAPACITY + 1))
    return np.ascontiguousarray(given, np.int64)


def _whole_numbers(lengths: Sequence[Any]) -> NDArray[np.int64]:
    """Integers that no array type of integers holds, cut to just above the largest capacity; names anything else."""
    whole = []
    for number, length in enumerate(lengths):
        if isinstance(length, bool) or not hasattr(length, "__index__"):
            raise ValueError(f"length of document {number} is {length!r}, expected an integer")
        if length < 1:
            raise ValueError(f"length of document {number} is {length}, expected at least 1 token")
        whole.append(min(operator.index(length), MAX_CAPACITY + 1))
    return np.array(whole, np.int64)


def fill(lengths: Sequence[int] | NDArray[np.int64], plan: Plan, capacity: int) -> float:
    """Share of the slots of the plan's rows that hold a token; 1.0 for a plan without rows."""
    if plan.num_rows == 0:
        return 1.0
    packed = np.asarray(lengths, np.int64)[plan.row_of >= 0]
    return float(packed.sum() / (plan.num_rows * capacity))
