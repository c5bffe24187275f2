"""Twin of csrc/core/corpus.cpp: what one walk over each of many texts finds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import duplicates_reference, minhash_reference, ngrams_reference, tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Banding:
    """Bands of `rows` MinHash slots each, of word n-grams. A pair of similarity s shares a band with probability
    1 - (1 - s^rows)^bands: 0.99995 at 0.8 by the defaults.
    """

    ngram: int = 5
    bands: int = 25
    rows: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        if self.ngram < 1 or self.bands < 0 or self.rows < 0:
            raise ValueError(f"{self.bands} bands of {self.rows} rows of {self.ngram}-grams: sizes are positive")


class Corpus:
    """Counterpart of the native class of the same name."""

    def __init__(
        self,
        texts: Sequence[str],
        banding: Banding | None,
        index: ngrams_reference.NgramIndex | None,
        least_tokens: int,
    ) -> None:
        self._texts = texts
        self._banding = banding or Banding(bands=0)
        found = [tokens.fingerprint(text) for text in texts]
        self.keys: NDArray[np.uint64] = np.array([f.key for f in found], np.uint64).reshape(-1, 2)
        self.quantities: NDArray[np.uint64] = np.array([f.quantities for f in found], np.uint64)
        self.num_words: NDArray[np.int64] = np.array([f.num_words for f in found], np.int64)
        self.band_keys = self._band_keys()
        self.match_offset: NDArray[np.int64] = np.zeros(1, np.int64)
        self.match_numbers: NDArray[np.uint32] = np.empty(0, np.uint32)
        self.contained: NDArray[np.int64] = np.empty((0, 2), np.int64)
        if index is not None:
            numbers = [index.found(text) for text in texts]
            self.match_offset = np.cumsum([0, *map(len, numbers)]).astype(np.int64)
            self.match_numbers = np.concatenate([*numbers, np.empty(0, np.int64)]).astype(np.uint32)
            self.contained = index.containments(texts, least_tokens)

    def _band_keys(self) -> NDArray[np.uint64]:
        sizes = self._banding
        factors, offsets = minhash_reference.permutations(sizes.bands * sizes.rows, sizes.seed)
        slots = minhash_reference.signatures(self._texts, sizes.ngram, factors, offsets)
        keys = minhash_reference.band_keys(slots, sizes.bands, sizes.rows).T
        return np.where(self.num_words >= sizes.ngram, keys, np.uint64(0))

    def duplicates(
        self,
        threshold: float,
        rank: NDArray[np.int64] | None,
        active: NDArray[np.uint8] | None,
        loose: NDArray[np.uint8] | None,
        label_variants: bool,
        max_bucket: int,
        max_candidates: int,
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """As the native method; `threads` is for its sake alone."""
        everyone = np.ones(len(self._texts), np.uint8)
        resolver = duplicates_reference.Resolver(
            texts=self._texts,
            keys=[(int(one), int(other)) for one, other in self.keys],
            quantities=self.quantities.tolist(),
            band_keys=self.band_keys.T.tolist(),
            ngram=self._banding.ngram,
            threshold=threshold,
            loose=np.zeros_like(everyone) if loose is None else loose,
            max_bucket=max_bucket,
            max_candidates=max_candidates,
        )
        return resolver.resolve(rank, everyone if active is None else active, label_variants)
