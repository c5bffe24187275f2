"""Rows of a packed set that may still be growing, materialised when they are asked for. Only what was published is
read, each byte is checked before it is first used, and a damaged file is named in a ValueError.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.packing.published import PublishedFiles


@dataclass(frozen=True, kw_only=True)
class PackedRow:
    """A row of D documents and T tokens, T at most the set's `max_length`, or several end to end; nothing is padded.

    `input_ids` int64[T]; `position_ids` int64[T], from 0 in each document; `labels` int64[T], already shifted: the next
    token of the same document where that is a target, else -100; `cu_seqlens` int32[D + 1]; `documents` their numbers.
    """

    input_ids: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    cu_seqlens: NDArray[np.int32]
    documents: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RowPlaces:
    """Where the D documents of a row lie, int64[D] each: first token and length in `PackedReader.tokens`, first byte in
    `PackedReader.target_bits` (low bit first).
    """

    first_token: NDArray[np.int64]
    first_mask_byte: NDArray[np.int64]
    lengths: NDArray[np.int64]


class PackedReader:
    """A view of `folder` as of the last `refresh()`. A folder in which nothing was published yet has no rows."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._files = PublishedFiles(folder)
        self._names: list[bytes] = []
        self.refresh()

    @property
    def num_rows(self) -> int:
        """Rows that can be read."""
        return int(self._files.visible.get("num_rows", 0))

    @property
    def num_documents(self) -> int:
        """Documents published, those that still wait for a row among them."""
        return int(self._files.visible.get("num_documents", 0))

    @property
    def num_tokens(self) -> int:
        """Tokens of the documents published."""
        return int(self._files.visible.get("num_tokens", 0))

    @property
    def num_targets(self) -> int:
        """Tokens of the documents published that the loss is taken of."""
        return int(self._files.visible.get("num_targets", 0))

    @property
    def max_length(self) -> int:
        """Tokens that a row can hold; 0 before anything was published."""
        return int(self._files.visible.get("max_length", 0))

    @property
    def longest_document(self) -> int:
        """Tokens of the longest document published; 0 before the first."""
        self._files.check_stored()
        return int(self._files.maps["documents.bin"]["length"].max(initial=0))

    @property
    def finished(self) -> bool:
        """Whether no more rows will come."""
        return bool(self._files.visible.get("finished", False))

    @property
    def fill(self) -> float:
        """Share of the slots of all rows that hold a token; 1.0 before the first row."""
        slots = self.num_rows * self.max_length
        return int(self._files.visible["num_row_tokens"]) / slots if slots else 1.0

    @property
    def tokens(self) -> NDArray[np.uint32]:
        """Ids of all published documents, a memory map; unchecked where no row or place was asked for."""
        return self._files.map_of("tokens.u32")

    @property
    def target_bits(self) -> NDArray[np.uint8]:
        """Which tokens are targets, a bit each: a memory map like `tokens`."""
        return self._files.map_of("targets.bits")

    def refresh(self) -> bool:
        """See what was published meanwhile; whether there was anything. Raises ValueError naming a damaged file."""
        return self._files.refresh()

    def check_all(self) -> None:
        """Check every published byte now. Raises ValueError naming the damaged file."""
        self._files.check_all()

    def places(self, index: int) -> RowPlaces:
        """Where the documents of row `index` lie, checked. Raises ValueError naming a damaged file."""
        self._files.check_stored()
        members = self._members(index)
        self._files.check_documents(members)
        entries = self._files.maps["documents.bin"][members]
        return RowPlaces(
            first_token=entries["first_token"].astype(np.int64),
            first_mask_byte=entries["first_mask_byte"].astype(np.int64),
            lengths=entries["length"].astype(np.int64),
        )

    def row_tokens(self, indices: Sequence[int], out: NDArray[np.uint32] | None = None) -> NDArray[np.uint32]:
        """Ids of rows, end to end, uint32[T]: the first T of `out` where one is given, else a new array.

        Raises ValueError naming a damaged file, or an `out` that is too short.
        """
        files, rows = self._files, np.asarray(indices, np.int64)
        if out is None or not files.all_checked:
            files.check_stored()
            for index in indices:
                files.check_documents(self._members(index))
        if out is None:
            out = np.empty(int(files.maps["rows.bin"]["num_tokens"][rows].sum()), np.uint32)
        try:
            return out[: files.row_store.copy_rows(rows, out)]
        except ValueError:
            files.check_stored()  # names a file that was cut
            raise

    def row(self, index: int) -> PackedRow:
        """Row `index`, 0 to `num_rows` - 1, read now. Raises ValueError naming a damaged file."""
        return self.rows([index])

    def rows(self, indices: Sequence[int]) -> PackedRow:
        """Rows end to end, as if they were one: T and D are those of all of them. Raises ValueError as `row`."""
        files, numbers = self._files, np.asarray(indices, np.int64)
        try:
            documents, cu_seqlens = files.row_store.documents_of(numbers)
            files.check_documents(documents)
            input_ids, position_ids, labels = np.empty((3, int(cu_seqlens[-1])), np.int64)
            files.row_store.label_rows(numbers, input_ids, position_ids, labels)
        except ValueError:
            files.check_stored()  # names a file that was cut
            raise
        return PackedRow(
            input_ids=input_ids,
            position_ids=position_ids,
            labels=labels,
            cu_seqlens=cu_seqlens,
            documents=tuple(documents.tolist()),
        )

    def row_targets(self, index: int) -> int:
        """Number of tokens of a row that the loss is taken of; reads no tokens."""
        self._files.check_stored()
        return int(self._files.maps["rows.bin"][index]["num_targets"])

    def lengths_of(self, index: int) -> NDArray[np.int64]:
        """Tokens of each document of a row; reads no tokens."""
        lengths: NDArray[np.int64] = self._files.maps["documents.bin"]["length"][self._members(index)].astype(np.int64)
        return lengths

    def row_sums(self, num_rows: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of the first rows (None: all), int64 each: tokens, and the sum of their documents' squared lengths; what
        `balance.RowCost` needs. Reads no tokens.
        """
        self._files.check_stored()
        rows = self._files.maps["rows.bin"][: self.num_rows if num_rows is None else num_rows]
        if not len(rows):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        ends = rows["members_end"].astype(np.int64)
        members = self._files.maps["members.u32"][: ends[-1]]
        lengths = self._files.maps["documents.bin"]["length"][members].astype(np.int64)
        squares = np.add.reduceat(lengths * lengths, np.concatenate(([0], ends[:-1])))
        return rows["num_tokens"].astype(np.int64), squares

    def names_of(self, index: int) -> list[str]:
        """Names of the documents of a row, in their order there."""
        if len(self._names) < self.num_documents:
            self._names = bytes(self._files.map_of("names.jsonl")).splitlines()
        self._files.check_stored()
        return [orjson.loads(self._names[number]) for number in self._members(index)]

    def _members(self, index: int) -> NDArray[np.uint32]:
        if not 0 <= index < self.num_rows:
            raise IndexError(f"row {index} of {self.num_rows}")
        rows = self._files.maps["rows.bin"]
        start = int(rows[index - 1]["members_end"]) if index else 0
        members: NDArray[np.uint32] = self._files.maps["members.u32"][start : int(rows[index]["members_end"])]
        return members
