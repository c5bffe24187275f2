"""Millions of ids in one array, and their order, which decides which copy of a text is kept."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Strings:
    """String i is content[ends[i] : ends[i + 1]], UTF-8; `ends` int64 [N + 1]."""

    content: bytes
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> bytes:
        return self.content[self.ends[index] : self.ends[index + 1]]


def id_order(ids: Strings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices by ascending id, of equal ones by index, int64 [N]; and for each the first index with its id, int64 [N].

    Eight bytes behind what all ids begin with are sorted as numbers; where these are equal, the ids themselves.
    """
    prefixes = _prefixes(ids)
    order = np.argsort(prefixes, kind="stable")
    first_with = np.arange(len(ids))
    ordered = prefixes[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ids) else np.empty(0, int)
    stops = np.append(starts[1:], len(ids))
    for run in np.flatnonzero(stops - starts > 1).tolist():
        start, stop = int(starts[run]), int(stops[run])
        members = sorted((ids[index], index) for index in order[start:stop].tolist())
        order[start:stop] = [index for _, index in members]
        of_equal = members[0]
        for member in members:
            if member[0] != of_equal[0]:
                of_equal = member
            first_with[member[1]] = of_equal[1]
    return order, first_with


def has_id(ids: Strings, order: NDArray[np.int64], wanted: bytes) -> bool:
    """Whether one of the ids, in this order, is the wanted one."""
    place = bisect_left(range(len(order)), wanted, key=lambda at: ids[int(order[at])])
    return place < len(order) and ids[int(order[place])] == wanted


def _prefixes(ids: Strings) -> NDArray[np.uint64]:
    """The eight bytes of each id behind the common prefix, as a number, with zeros where it is shorter, uint64 [N]."""
    count = len(ids)
    content = np.frombuffer(ids.content + bytes(1), np.uint8)
    lengths = np.diff(ids.ends)
    common = 0
    shortest = int(lengths.min()) if count else 0
    while common < shortest and (content[ids.ends[:-1] + common] == content[ids.ends[0] + common]).all():
        common += 1
    prefixes = np.zeros(count, np.uint64)
    for at in range(common, common + 8):
        there = at < lengths
        place = np.where(there, ids.ends[:-1] + at, 0)
        prefixes = prefixes << np.uint64(8) | np.where(there, content[place], 0).astype(np.uint64)
    return prefixes
