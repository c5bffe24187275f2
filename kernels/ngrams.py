"""Index of the token n-grams and token sequences of evaluation items: native where available, else the reference.

Tokens are words and mathematical signs, as kernels/tokens.py reads them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, native_available, ngrams_reference

if native_available:
    from reasonmill.kernels import _native


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlaps:
    """M pairs, ascending by (text, item): `texts`, `items`, `num_matched` int64 [M] (distinct n-grams of the item found
    in the text), `matched` and `totals` uint64 [M] (weights of those, and of all the item's n-grams).
    """

    texts: NDArray[np.int64]
    items: NDArray[np.int64]
    num_matched: NDArray[np.int64]
    matched: NDArray[np.uint64]
    totals: NDArray[np.uint64]


class NgramIndex:
    """Evaluation items, ready to be looked for in any number of texts. Answers do not depend on `num_threads`."""

    def __init__(self, items: Sequence[str], *, ngram: int = 5, num_threads: int = 0) -> None:
        if ngram < 1:
            raise ValueError(f"ngram: {ngram} is not positive")
        self._num_threads = num_threads
        self._native = _native.NgramIndex(items, ngram, characters.table()) if native_available else None
        self._twin = None if native_available else ngrams_reference.NgramIndex(items, ngram)
        inner = self._native if self._native is not None else self._twin
        assert inner is not None
        self.num_grams = len(inner.grams)
        self._offset, self._grams = inner.item_offset, inner.item_grams

    def item_grams(self, item: int) -> NDArray[np.uint32]:
        """Numbers of the distinct n-grams of an item, ascending."""
        return self._grams[int(self._offset[item]) : int(self._offset[item + 1])]

    def count_texts(self, texts: Sequence[str]) -> NDArray[np.uint32]:
        """Number of texts that hold each n-gram, uint32 [num_grams]."""
        if self._native is not None:
            return self._native.count_texts(texts, self._num_threads)
        assert self._twin is not None
        return self._twin.count_texts(texts)

    def overlaps(self, texts: Sequence[str], weights: NDArray[np.uint32], least_share: float) -> Overlaps:
        """Pairs whose matched weight is positive and at least `least_share` of the item's.

        `weights` uint32 [num_grams]; integers, so that sums are exact. Raises ValueError for another shape.
        """
        if weights.shape != (self.num_grams,) or weights.dtype != np.uint32:
            raise ValueError(f"weights are {weights.dtype} {weights.shape}, expected uint32 ({self.num_grams},)")
        if self._native is not None:
            pairs, sums = self._native.overlaps(texts, np.ascontiguousarray(weights), least_share, self._num_threads)
        else:
            assert self._twin is not None
            pairs, sums = self._twin.overlaps(texts, weights, least_share)
        return Overlaps(
            texts=pairs[:, 0], items=pairs[:, 1], num_matched=pairs[:, 2], matched=sums[:, 0], totals=sums[:, 1]
        )

    def containments(self, texts: Sequence[str], *, least_tokens: int = 1) -> NDArray[np.int64]:
        """Pairs (text, item) int64 [M, 2], ascending, where the item's whole token sequence stands in the text.

        Items of fewer than `least_tokens` tokens are found only where they are the whole text; without tokens, never.
        """
        if self._native is not None:
            return self._native.containments(texts, least_tokens, self._num_threads)
        assert self._twin is not None
        return self._twin.containments(texts, least_tokens)
