"""Rows out of a stream of documents: every document added leaves in exactly one row, and a packer rebuilt from its
state goes on with the very rows that the first one would have given.

Documents wait in a window; when it is full all of it is planned, the rows that are full enough leave, and the rest
waits on. At least half of the window leaves each time, the fullest rows first, so that memory is bounded by the window;
and no document waits for more than `max_wait` others, though its row be part-filled, so that latency is bounded too.

Long documents are placed longest first, short ones in hashed order: best-fit-decreasing throughout would fill a row
with documents of one length, which are documents of one kind, and a step would learn one task. As many of the shortest
as there are rows come last, and plug what is left open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.best_fit import best_fit_in_order
from reasonmill.kernels.best_fit_reference import decreasing_order

# A document of at most this share of a row is short: rows fill to 98 % and more whatever the order of such.
SHORT_SHARE = 1 / 8
# Shortest documents kept for the end, for each row that the long ones would fill. 200 k lengths of mean 3785, rows of
# 32768, window 1024: fill 0.99928 with none, 0.99971 with 1, 0.99976 with 2 and with 3. Without long documents there
# are no holes to plug, and rows of the shortest alone would be of one kind.
PLUGS_PER_LONG_ROW = 2.0
# A row at least this full leaves. Same lengths: 0.999 fills 0.99963, 0.9995 and 0.9999 fill 0.99976; from 0.999 to
# 0.9995 a document is planned 1.9 times instead of 1.7.
MIN_FILL = 0.9995
# Documents that one waits for at most, in windows. Same lengths: 4 fill 0.99885, 8 0.99954, 16 0.99976, 32 0.99980.
MAX_WAIT_WINDOWS = 16
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)  # Knuth's multiplicative hash: spreads consecutive ids


@dataclass(frozen=True, kw_only=True)
class Row:
    """Documents in the order in which they stand in the row, and the tokens they have together."""

    documents: tuple[int, ...]
    num_tokens: int


class RowPacker:
    """Windowed best-fit with carry-over. `capacity` and lengths in tokens, `window` and `max_wait` in documents;
    `max_wait` 0: sixteen windows.
    """

    def __init__(self, capacity: int, window: int, min_fill: float = MIN_FILL, max_wait: int = 0) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity} is not positive")
        if window < 1:
            raise ValueError(f"window {window} is not positive")
        if not 0.0 < min_fill <= 1.0:
            raise ValueError(f"min_fill {min_fill} is outside (0, 1]")
        if max_wait < 0:
            raise ValueError(f"max_wait {max_wait} is negative")
        self.capacity = capacity
        self.window = window
        self.min_fill = min_fill
        self.max_wait = max_wait or MAX_WAIT_WINDOWS * window
        self._added = 0  # documents so far; the number of the next
        self._waiting: list[tuple[int, int, int]] = []  # (document id, length, number) in the order of arrival

    @property
    def num_waiting(self) -> int:
        """Documents added that are in no row yet; below `window` between calls."""
        return len(self._waiting)

    @property
    def oldest(self) -> int | None:
        """Number of the document that waits longest; None when none waits."""
        return self._waiting[0][2] if self._waiting else None

    def add(self, document_id: int, length: int) -> list[Row]:
        """Take one document in; returns the rows that leave, often none. Raises ValueError for a bad length."""
        if not 1 <= length <= self.capacity:
            raise ValueError(f"document {document_id} has {length} tokens, a row holds 1 to {self.capacity}")
        self._waiting.append((document_id, length, self._added))
        self._added += 1
        if len(self._waiting) < self.window and self._added - self._waiting[0][2] <= self.max_wait:
            return []
        # the next plan is at most a window away: who would be overdue then leaves now
        return self._leave(keep=self.window // 2, before=self._added + self.window - self.max_wait)

    def leave_before(self, number: int) -> list[Row]:
        """Rows of all documents that wait and are older than the `number`-th, and rows that are full enough."""
        return self._leave(keep=len(self._waiting), before=number)

    def flush(self) -> list[Row]:
        """Rows of all documents that wait."""
        return self._leave(keep=0, before=self._added)

    def state(self) -> dict[str, Any]:
        """The packer as a JSON value."""
        return {
            "capacity": self.capacity,
            "window": self.window,
            "min_fill": self.min_fill,
            "max_wait": self.max_wait,
            "added": self._added,
            "waiting": [list(entry) for entry in self._waiting],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "RowPacker":
        """The packer that `state()` described. Raises ValueError when a key is missing."""
        try:
            packer = cls(state["capacity"], state["window"], state["min_fill"], state["max_wait"])
            packer._added = int(state["added"])
            packer._waiting = [
                (int(document), int(length), int(number)) for document, length, number in state["waiting"]
            ]
        except KeyError as error:
            raise ValueError(f"the packer's state lacks {error.args[0]!r}") from None
        return packer

    def _leave(self, *, keep: int, before: int) -> list[Row]:
        """Plan the window. Rows leave that are full enough, that hold a document numbered below `before`, and the
        fullest others while more than `keep` documents would wait.
        """
        if not self._waiting:
            return []
        ids, lengths, numbers = np.ascontiguousarray(np.array(self._waiting, np.int64).T)
        # shifted from plan to plan: the last in hashed order are in the emptiest row, and would wait again and again
        order = mixed_order(lengths, (ids + self._added).astype(np.uint64), self.capacity)
        row_of, offset_of, num_rows = best_fit_in_order(lengths, order, self.capacity)
        tokens = np.bincount(row_of, weights=lengths, minlength=num_rows).astype(np.int64)
        sizes = np.bincount(row_of, minlength=num_rows)
        must = tokens >= self.min_fill * self.capacity
        must[row_of[numbers < before]] = True
        # rows that must leave come first, then the fullest; of equally full ones the first opened
        ranked = np.lexsort((np.arange(num_rows), -tokens, ~must))
        waiting_then = len(lengths) - np.cumsum(sizes[ranked])
        enough = np.searchsorted(-waiting_then, -keep) + 1 if keep < len(lengths) else 0
        leaving = ranked[: max(int(must.sum()), int(enough))]
        place = np.full(num_rows, num_rows)
        place[leaving] = np.arange(len(leaving))
        place_of = place[row_of]
        gone = np.flatnonzero(place_of < num_rows)
        members = gone[np.lexsort((offset_of[gone], place_of[gone]))]
        documents, ends = ids[members].tolist(), np.cumsum(sizes[leaving]).tolist()
        self._waiting = [self._waiting[index] for index in np.flatnonzero(place_of == num_rows).tolist()]
        return [
            Row(documents=tuple(documents[start:end]), num_tokens=row_tokens)
            for start, end, row_tokens in zip([0, *ends], ends, tokens[leaving].tolist(), strict=False)
        ]


def mixed_order(lengths: NDArray[np.int64], ids: NDArray[np.uint64], capacity: int) -> NDArray[np.int64]:
    """Indices of documents: long ones longest first, then short ones by hash of their id, then the shortest."""
    order = decreasing_order(lengths)
    num_long = int(np.count_nonzero(lengths > capacity * SHORT_SHARE))
    num_plugs = int(PLUGS_PER_LONG_ROW * int(lengths[order[:num_long]].sum()) / capacity)
    end = max(num_long, len(order) - num_plugs)
    hashed = np.argsort(ids[order[num_long:end]] * _GOLDEN, kind="stable")
    return np.concatenate([order[:num_long], order[num_long:end][hashed], order[end:]])
