"""Rows for documents of known lengths by exact best-fit-decreasing: every document that fits is in exactly one row, no
row is over capacity, and equal lengths give equal plans.

Documents are taken longest first (equal lengths in input order); each goes to the fullest row that still has room for
it (of equally full rows, to the one touched last), else opens a new row. Never more than 11/9 OPT + 6/9 rows (Dósa).
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_CAPACITY = 2**31 - 1
# One thread, Zen 5, lengths of mean 3785 in rows of 32768: from here on the compiled planner wins even when its
# 0.5 s of loading is new; below, the plain one is not worth importing numba for (1024 documents: 2 ms).
COMPILED_FROM = 200_000
# The compiled planner holds one list head (4 bytes) per possible remaining length.
COMPILED_MAX_CAPACITY = 2**24


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`row_of` int32[N]: row of each document, -1 when it is longer than a row; `offset_of` int32[N]: first slot."""

    row_of: NDArray[np.int32]
    offset_of: NDArray[np.int32]
    num_rows: int


def pack_lengths(lengths: ArrayLike, capacity: int) -> Plan:
    """Plan documents of `lengths` (N positive integers) into rows of `capacity` tokens.

    Raises ValueError for a capacity outside [1, 2**31), a length that is no positive integer, or lengths of no
    one-dimensional shape; names the first offender.
    """
    checked = checked_lengths(lengths)
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ValueError(f"capacity {capacity} is outside [1, {MAX_CAPACITY}]")
    if len(checked) >= COMPILED_FROM and capacity <= COMPILED_MAX_CAPACITY:
        from reasonmill.packing.planner_compiled import plan_compiled

        return Plan(**plan_compiled(checked, capacity))
    return plan_reference(checked, capacity)


def checked_lengths(lengths: ArrayLike) -> NDArray[np.int64]:
    """`lengths` as int64[N]. Raises ValueError naming the first that is no positive integer."""
    given = np.asarray(lengths)
    if given.ndim != 1:
        raise ValueError(f"lengths have shape {given.shape}, expected one dimension")
    if given.size == 0:
        return np.zeros(0, np.int64)
    if not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"lengths are {given.dtype}, expected integers")
    if int(given.min()) < 1:
        first = int(np.argmax(given < 1))
        raise ValueError(f"length of document {first} is {given[first]}, expected at least 1 token")
    clipped: NDArray[np.int64] = np.minimum(given, MAX_CAPACITY + 1).astype(np.int64)
    return clipped


def decreasing_order(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the documents, longest first, equal lengths in input order."""
    order: NDArray[np.int64] = np.argsort(-lengths, kind="stable")
    return order


def plan_reference(lengths: NDArray[np.int64], capacity: int, *, order: NDArray[np.int64] | None = None) -> Plan:
    """The plan in plain Python, the twin of the compiled planner and bit-identical to it. With `order` (indices):
    best-fit in that order of the documents.
    """
    row_of = np.full(len(lengths), -1, np.int32)
    offset_of = np.zeros(len(lengths), np.int32)
    rooms: list[int] = []  # different remaining lengths of open rows, ascending
    rows_with: dict[int, list[int]] = {}  # remaining length -> rows, the last touched at the end
    num_rows = 0
    for document in (decreasing_order(lengths) if order is None else order).tolist():
        length = int(lengths[document])
        if length > capacity:
            continue
        place = bisect_left(rooms, length)
        if place < len(rooms):
            room = rooms[place]
            stack = rows_with[room]
            row = stack.pop()
            if not stack:
                del rows_with[room]
                rooms.pop(place)
        else:
            room, row = capacity, num_rows
            num_rows += 1
        row_of[document] = row
        offset_of[document] = capacity - room
        left = room - length
        if left:
            if left in rows_with:
                rows_with[left].append(row)
            else:
                rows_with[left] = [row]
                insort(rooms, left)
    return Plan(row_of=row_of, offset_of=offset_of, num_rows=num_rows)


def fill(lengths: Sequence[int] | NDArray[np.int64], plan: Plan, capacity: int) -> float:
    """Share of the slots of the plan's rows that hold a token; 1.0 for a plan without rows."""
    if plan.num_rows == 0:
        return 1.0
    packed = np.asarray(lengths, np.int64)[plan.row_of >= 0]
    return float(packed.sum() / (plan.num_rows * capacity))
