"""Rows out of a store of tokens that is mapped into memory: native where available, else the reference below it.

The store is five arrays: `tokens` uint32; `target_bits` uint8, a bit a token, low bit first, each document from a byte
on; `documents` uint64[N, 3]: a document's first token, its first byte of bits, and its length in the low half of the
third; `rows` uint64[R, 2], of which the first column is where a row's members end; `members` uint32, the documents of
all rows one row after another. `files` are those that the arrays map, with the bytes that each must keep: to read a map
beyond the end of its file kills the process.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import native_available

if native_available:
    from reasonmill.kernels import _native

IGNORED = -100  # label of a position that no loss is taken of (torch's cross_entropy default)


class RowStore(Protocol):
    """Copies rows, end to end, to the beginning of arrays; returns how many tokens they are. Keeps the store alive.

    Raises IndexError where there is no such row, and ValueError where a document lies outside the store, an array is
    too short, or a file was cut; nothing is written then.
    """

    def documents_of(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """Numbers of the rows' D documents in order, and where they begin and end among their tokens, [D + 1]."""
        ...

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
        """Write the tokens."""
        ...

    def label_rows(
        self,
        indices: NDArray[np.int64],
        input_ids: NDArray[np.int64],
        position_ids: NDArray[np.int64],
        labels: NDArray[np.int64],
    ) -> int:
        """Write the tokens, their positions from 0 in each document, and labels: the next token of the same document
        where that is a target, else -100.
        """
        ...


class ReferenceRowStore:
    """`RowStore` in plain NumPy."""

    def __init__(
        self,
        tokens: NDArray[np.uint32],
        target_bits: NDArray[np.uint8],
        documents: NDArray[np.uint64],
        members: NDArray[np.uint32],
        rows: NDArray[np.uint64],
        files: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._files = files
        self._tokens, self._target_bits = tokens, target_bits
        self._documents, self._members, self._rows = documents, members, rows

    def documents_of(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """As the protocol says."""
        lengths = [len(tokens) for tokens, _ in self._found(indices, 2**31 - 1)]
        numbers = [self._members_of(index) for index in indices.tolist()]
        return np.concatenate([np.zeros(0, np.uint32), *numbers]), np.cumsum([0, *lengths], dtype=np.int32)

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
        """As the protocol says."""
        end = 0
        for tokens, _ in self._found(indices, len(out)):
            out[end : end + len(tokens)] = tokens
            end += len(tokens)
        return end

    def label_rows(
        self,
        indices: NDArray[np.int64],
        input_ids: NDArray[np.int64],
        position_ids: NDArray[np.int64],
        labels: NDArray[np.int64],
    ) -> int:
        """As the protocol says."""
        end = 0
        for tokens, targets in self._found(indices, min(len(input_ids), len(position_ids), len(labels))):
            own = slice(end, end + len(tokens))
            input_ids[own] = tokens
            position_ids[own] = np.arange(len(tokens))
            labels[own] = IGNORED
            np.copyto(labels[own][:-1], tokens[1:], where=targets[1:])
            end += len(tokens)
        return end

    def _found(self, indices: NDArray[np.int64], room: int) -> list[tuple[NDArray[np.uint32], NDArray[np.bool_]]]:
        """Tokens and targets of the rows' documents."""
        if any(Path(path).stat().st_size < size for path, size in self._files):
            raise ValueError("a file of the store is shorter than it was")
        found = []
        for index in indices.tolist():
            if not 0 <= index < len(self._rows):
                raise IndexError(f"row {index} of {len(self._rows)}")
            found += self._documents_of(index)
            if sum(len(tokens) for tokens, _ in found) > room:
                raise ValueError(f"out is full before the end of row {index}")
        return found

    def _members_of(self, index: int) -> NDArray[np.uint32]:
        begin = int(self._rows[index - 1, 0]) if index else 0
        return self._members[begin : int(self._rows[index, 0])]

    def _documents_of(self, index: int) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.bool_]]]:
        for document in self._members_of(index).tolist():
            known = document < len(self._documents)
            first, byte, last = self._documents[document].tolist() if known else (0, 0, 0)
            length = last & 0xFFFF_FFFF
            bits = self._target_bits[byte : byte + (length + 7) // 8]
            if not known or first + length > len(self._tokens) or 8 * len(bits) < length:
                raise ValueError(f"document {document} of row {index} is outside of the tokens")
            targets = np.unpackbits(bits, count=length, bitorder="little")
            yield self._tokens[first : first + length], targets.view(np.bool_)


def row_store(
    tokens: NDArray[np.uint32],
    target_bits: NDArray[np.uint8],
    documents: NDArray[np.uint64],
    members: NDArray[np.uint32],
    rows: NDArray[np.uint64],
    files: Sequence[tuple[str, int]] = (),
) -> RowStore:
    """The fastest store there is over the five arrays, all of them contiguous."""
    if native_available:
        return _native.RowStore(tokens, target_bits, documents, members, rows, files)
    return ReferenceRowStore(tokens, target_bits, documents, members, rows, files)
