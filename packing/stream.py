"""Rows out of a stream of documents: every document added leaves in exactly one row, and a packer rebuilt from its
state goes on with the very rows that the first one would have given.

Documents wait in a window; when it is full all of it is planned, the rows that are full enough leave, and the rest
waits on. At least half of the window leaves each time, the fullest rows first, so that memory is bounded by the window.

Long documents are placed longest first, short ones in hashed order: best-fit-decreasing throughout would fill a row
with documents of one length, which are documents of one kind, and a step would learn one task.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.planner import decreasing_order, plan_reference

# A document of at most this share of a row is short: rows fill to 98 % and more whatever the order of such.
SHORT_SHARE = 1 / 8
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # Knuth's multiplicative hash: spreads consecutive ids


@dataclass(frozen=True, kw_only=True)
class Row:
    """Documents in the order in which they stand in the row, and the tokens they have together."""

    documents: tuple[int, ...]
    num_tokens: int


class RowPacker:
    """Windowed best-fit with carry-over. `capacity` and lengths in tokens, `window` in documents."""

    def __init__(self, capacity: int, window: int, min_fill: float = 0.999) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity} is not positive")
        if window < 1:
            raise ValueError(f"window {window} is not positive")
        if not 0.0 < min_fill <= 1.0:
            raise ValueError(f"min_fill {min_fill} is outside (0, 1]")
        self.capacity = capacity
        self.window = window
        self.min_fill = min_fill
        self._waiting: list[tuple[int, int]] = []  # (document id, length) in the order of arrival

    @property
    def num_waiting(self) -> int:
        """Documents added that are in no row yet; below `window` between calls."""
        return len(self._waiting)

    def add(self, document_id: int, length: int) -> list[Row]:
        """Take one document in; returns the rows that leave, often none. Raises ValueError for a bad length."""
        if not 1 <= length <= self.capacity:
            raise ValueError(f"document {document_id} has {length} tokens, a row holds 1 to {self.capacity}")
        self._waiting.append((document_id, length))
        return self._leave(keep=self.window // 2) if len(self._waiting) >= self.window else []

    def flush(self) -> list[Row]:
        """Rows of all documents that wait."""
        return self._leave(keep=0)

    def state(self) -> dict[str, Any]:
        """The packer as a JSON value."""
        return {
            "capacity": self.capacity,
            "window": self.window,
            "min_fill": self.min_fill,
            "waiting": [list(entry) for entry in self._waiting],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "RowPacker":
        """The packer that `state()` described. Raises ValueError when a key is missing."""
        try:
            packer = cls(state["capacity"], state["window"], state["min_fill"])
            packer._waiting = [(int(document), int(length)) for document, length in state["waiting"]]
        except KeyError as error:
            raise ValueError(f"the packer's state lacks {error.args[0]!r}") from None
        return packer

    def _leave(self, *, keep: int) -> list[Row]:
        if not self._waiting:
            return []
        lengths = np.array([length for _, length in self._waiting], np.int64)
        ids = np.array([document for document, _ in self._waiting], np.uint64)
        plan = plan_reference(lengths, self.capacity, order=mixed_order(lengths, ids, self.capacity))
        members: list[list[int]] = [[] for _ in range(plan.num_rows)]
        for index in np.argsort(plan.offset_of, kind="stable").tolist():
            members[plan.row_of[index]].append(index)
        tokens = [int(lengths[row].sum()) for row in members]
        rows: list[Row] = []
        left: set[int] = set()
        enough = self.min_fill * self.capacity
        for number in sorted(range(plan.num_rows), key=lambda n: (-tokens[n], n)):
            if keep and tokens[number] < enough and len(self._waiting) - len(left) <= keep:
                break
            documents = tuple(self._waiting[index][0] for index in members[number])
            rows.append(Row(documents=documents, num_tokens=tokens[number]))
            left.update(members[number])
        self._waiting = [entry for index, entry in enumerate(self._waiting) if index not in left]
        return rows


def mixed_order(lengths: NDArray[np.int64], ids: NDArray[np.uint64], capacity: int) -> NDArray[np.int64]:
    """Indices of documents: long ones longest first, then short ones by hash of their id."""
    order = decreasing_order(lengths)
    long = lengths[order] > capacity * SHORT_SHARE
    short = order[~long]
    hashed = np.argsort(ids[short] * _GOLDEN, kind="stable")
    return np.concatenate([order[long], short[hashed]])
