"""Best-fit-decreasing in compiled code, bit-identical to `planner.plan_reference`.

The fullest row with room for L tokens is the first set bit at or after L in a bitset over remaining lengths, which has
a 64-ary summary above each level, so that a search touches one word a level; rows of equal remaining length form an
intrusive list whose head is the row touched last. Documents are ordered by a counting sort.
"""

from typing import Any

import numba as nb
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

_ONE, _SIX, _LOW_SIX, _ALL = np.uint64(1), np.uint64(6), np.uint64(63), ~np.uint64(0)


@intrinsic
def _trailing_zeros(_: Any, word: Any) -> Any:
    """Index of the lowest set bit of a uint64 that is not zero: one instruction."""

    def generate(context: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 1))

    return types.uint64(types.uint64), generate


@nb.njit(cache=True)
def _first_at_or_after(words: Any, starts: Any, num_levels: int, value: int) -> Any:
    """Smallest set value >= `value`, or -1. `words` holds all levels, level k from `starts[k]`."""
    level = 0
    position = np.uint64(value)
    while level < num_levels:
        index = position >> _SIX
        if index >= starts[level + 1] - starts[level]:
            return -1
        word = words[starts[level] + index] & (_ALL << (position & _LOW_SIX))
        if word:
            found = (index << _SIX) + _trailing_zeros(word)
            while level > 0:
                level -= 1
                found = (found << _SIX) + _trailing_zeros(words[starts[level] + found])
            return np.int64(found)
        position = index + _ONE
        level += 1
    return -1


@nb.njit(cache=True)
def _set(words: Any, starts: Any, num_levels: int, value: int) -> None:
    position = np.uint64(value)
    for level in range(num_levels):
        index = starts[level] + (position >> _SIX)
        before = words[index]
        words[index] = before | (_ONE << (position & _LOW_SIX))
        if before:
            return
        position >>= _SIX


@nb.njit(cache=True)
def _clear(words: Any, starts: Any, num_levels: int, value: int) -> None:
    position = np.uint64(value)
    for level in range(num_levels):
        index = starts[level] + (position >> _SIX)
        word = words[index] & ~(_ONE << (position & _LOW_SIX))
        words[index] = word
        if word:
            return
        position >>= _SIX


@nb.njit(cache=True)
def _longest_first(lengths: Any, capacity: int) -> Any:
    """Documents that fit, longest first, and where those of each length end: key k is length `capacity - k`."""
    ends = np.zeros(capacity + 1, np.int32)
    for length in lengths:
        if length <= capacity:
            ends[capacity - length] += 1
    for key in range(1, capacity + 1):
        ends[key] += ends[key - 1]
    order = np.empty(ends[capacity], np.int32)
    place = np.empty(capacity + 1, np.int32)
    place[0] = 0
    place[1:] = ends[:-1]
    for document in range(len(lengths)):
        length = lengths[document]
        if length <= capacity:
            order[place[capacity - length]] = document
            place[capacity - length] += 1
    return order, ends


@nb.njit(cache=True)
def _best_fit(lengths: Any, capacity: int, words: Any, starts: Any, num_levels: int) -> Any:
    row_of = np.full(len(lengths), -1, np.int32)
    offset_of = np.zeros(len(lengths), np.int32)
    order, ends = _longest_first(lengths, capacity)
    head = np.full(capacity + 1, -1, np.int32)
    below = np.empty(len(order), np.int32)
    num_rows = 0
    first = 0
    for key in range(capacity + 1):
        length = capacity - key
        for document in order[first : ends[key]]:
            room = _first_at_or_after(words, starts, num_levels, length)
            if room < 0:
                room = capacity
                row = num_rows
                num_rows += 1
            else:
                row = head[room]
                head[room] = below[row]
                if head[room] < 0:
                    _clear(words, starts, num_levels, room)
            row_of[document] = row
            offset_of[document] = capacity - room
            left = room - length
            if left > 0:
                below[row] = head[left]
                if head[left] < 0:
                    _set(words, starts, num_levels, left)
                head[left] = row
        first = ends[key]
    return row_of, offset_of, num_rows


def plan_compiled(lengths: NDArray[np.int64], capacity: int) -> dict[str, Any]:
    """Fields of a `planner.Plan` for N positive lengths. Memory: 20 bytes a document and 12 a unit of capacity."""
    starts = [0]
    values = capacity + 1
    while True:
        num_words = -(-values // 64)
        starts.append(starts[-1] + num_words)
        if num_words == 1:
            break
        values = num_words
    words = np.zeros(starts[-1], np.uint64)
    shortened = np.minimum(lengths, capacity + 1).astype(np.int32)
    row_of, offset_of, num_rows = _best_fit(shortened, capacity, words, np.array(starts, np.uint64), len(starts) - 1)
    return {"row_of": row_of, "offset_of": offset_of, "num_rows": int(num_rows)}
