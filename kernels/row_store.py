"""Rows out of a store of tokens that is mapped into memory: native where available, else the reference below it.

The store is four arrays: `tokens` uint32; `documents` uint64[N, 3], of which the first column is a document's first
token and the low half of the third its length; `rows` uint64[R, 2], of which the first column is where a row's
members end; `members` uint32, the documents of all rows one row after another.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import native_available

if native_available:
    from reasonmill.kernels import _native


class RowStore(Protocol):
    """Copies rows out of the four arrays, which it keeps alive."""

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
        """Write the tokens of rows, end to end, to the beginning of `out`; returns how many they are.

        Raises IndexError where there is no such row, and ValueError where a document lies outside the tokens or `out`
        is too short; nothing is written then.
        """
        ...


class ReferenceRowStore:
    """`RowStore` in plain NumPy."""

    def __init__(
        self,
        tokens: NDArray[np.uint32],
        documents: NDArray[np.uint64],
        members: NDArray[np.uint32],
        rows: NDArray[np.uint64],
    ) -> None:
        self._tokens, self._documents, self._members, self._rows = tokens, documents, members, rows

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[np.uint32]) -> int:
        """As the protocol says."""
        end, pieces = 0, []
        for index in indices.tolist():
            if not 0 <= index < len(self._rows):
                raise IndexError(f"row {index} of {len(self._rows)}")
            begin = int(self._rows[index - 1, 0]) if index else 0
            for document in self._members[begin : int(self._rows[index, 0])].tolist():
                first, length = int(self._documents[document, 0]), int(self._documents[document, 2]) & 0xFFFF_FFFF
                if first + length > len(self._tokens):
                    raise ValueError(f"document {document} of row {index} is outside of the tokens")
                pieces.append(self._tokens[first : first + length])
                end += length
            if end > len(out):
                raise ValueError(f"out is full before the end of row {index}")
        np.concatenate([out[:0], *pieces], out=out[:end])
        return end


def row_store(
    tokens: NDArray[np.uint32], documents: NDArray[np.uint64], members: NDArray[np.uint32], rows: NDArray[np.uint64]
) -> RowStore:
    """The fastest store there is over the four arrays, all of them contiguous."""
    if native_available:
        return _native.RowStore(tokens, documents, members, rows)
    return ReferenceRowStore(tokens, documents, members, rows)
