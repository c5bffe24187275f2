"""Best-fit of documents into rows in plain Python, a document at a time: the twin of csrc/core/best_fit.cpp."""

from bisect import bisect_left, insort

import numpy as np
from numpy.typing import NDArray


def decreasing_order(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the documents, longest first, equal lengths in input order."""
    order: NDArray[np.int64] = np.argsort(-lengths, kind="stable")
    return order


def best_fit(
    lengths: NDArray[np.int64], order: NDArray[np.int64], capacity: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Row (-1: too long) and first slot of each document, and the number of rows, placing them in `order`."""
    row_of = np.full(len(lengths), -1, np.int32)
    offset_of = np.zeros(len(lengths), np.int32)
    rooms: list[int] = []  # different remaining lengths of open rows, ascending
    rows_with: dict[int, list[int]] = {}  # remaining length -> rows, the last touched at the end
    num_rows = 0
    for document in order.tolist():
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
        if left in rows_with:
            rows_with[left].append(row)
        elif left:
            rows_with[left] = [row]
            insort(rooms, left)
    return row_of, offset_of, num_rows
