"""Index of the token n-grams and token sequences of evaluation items: native where available, else the reference.

Tokens are words and mathematical signs, as kernels/tokens.py reads them. `corpus.Corpus` looks for them in texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, native_available, ngrams_reference
from reasonmill.kernels.matches import Matches
from reasonmill.kernels.texts import Texts, as_strings

__all__ = ["Matches", "NgramIndex", "Overlaps"]

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
    """Evaluation items, ready to be looked for in any number of texts.

    Items of fewer than `short_tokens` tokens have `short_ngram`-grams: an edit of a short item leaves few longer ones.
    """

    def __init__(self, items: Texts, *, ngram: int = 5, short_ngram: int = 3, short_tokens: int = 0) -> None:
        for name, size in (("ngram", ngram), ("short_ngram", short_ngram)):
            if size < 1:
                raise ValueError(f"{name}: {size} is not positive")
        if short_tokens < 0:
            raise ValueError(f"short_tokens: {short_tokens} is negative")
        self.native: _native.NgramIndex | None = None
        self.twin: ngrams_reference.NgramIndex | None = None
        if native_available:
            inner: _native.NgramIndex | ngrams_reference.NgramIndex
            inner = self.native = _native.NgramIndex(
                cast("Sequence[str]", items), ngram, short_ngram, short_tokens, characters.table()
            )
        else:
            inner = self.twin = ngrams_reference.NgramIndex(as_strings(items), ngram, short_ngram, short_tokens)
        self._inner = inner
        self.grams = inner.grams  # hashes, ascending, uint64 [num_grams]
        self.num_grams = len(self.grams)
        self._offset, self._grams = inner.item_offset, inner.item_grams

    def item_grams(self, item: int) -> NDArray[np.uint32]:
        """Numbers of the distinct n-grams of an item, ascending."""
        return self._grams[int(self._offset[item]) : int(self._offset[item + 1])]

    def count_texts(self, matches: Matches) -> NDArray[np.uint32]:
        """Number of texts that hold each n-gram, uint32 [num_grams]."""
        return np.bincount(matches.numbers, minlength=self.num_grams).astype(np.uint32)

    def densest(
        self, texts: Sequence[str], items: NDArray[np.int64], weights: NDArray[np.uint32], stretch: float
    ) -> NDArray[np.uint64]:
        """How much of an item stands close together in a text, for each of M texts and its item, uint64 [M].

        That is the greatest summed weight of distinct n-grams of the item that begin within `stretch` lengths of the
        item of each other. `weights` uint32 [num_grams].
        """
        assert len(texts) == len(items), "each text has its item"
        if self.native is not None:
            return self.native.densest(texts, items, weights, stretch, characters.table())
        assert self.twin is not None, "an index is native or the twin"
        return self.twin.densest(texts, items, weights, stretch)

    def overlaps(self, matches: Matches, weights: NDArray[np.uint32], least_share: float) -> Overlaps:
        """Pairs whose matched weight is positive and at least `least_share` of the item's.

        `weights` uint32 [num_grams]; integers, so that sums are exact. Raises ValueError for another shape.
        """
        if weights.shape != (self.num_grams,) or weights.dtype != np.uint32:
            raise ValueError(f"weights are {weights.dtype} {weights.shape}, expected uint32 ({self.num_grams},)")
        assert len(matches.offset) > 0, "N texts have N + 1 offsets"
        pairs, sums = self._inner.overlaps(matches.offset, matches.numbers, weights, least_share)
        return Overlaps(
            texts=pairs[:, 0], items=pairs[:, 1], num_matched=pairs[:, 2], matched=sums[:, 0], totals=sums[:, 1]
        )
