"""Twin of csrc/core/corpus.cpp: what one walk over each of many texts finds, and the duplicates among them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import duplicates_reference, minhash_reference, ngrams_reference, tokens
from reasonmill.kernels.matches import NO_MATCHES, Matches
from reasonmill.kernels.prints import Prints


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


def read(
    texts: Sequence[str], banding: Banding | None, index: ngrams_reference.NgramIndex | None, least_tokens: int
) -> tuple[Prints, Matches]:
    """As corpus.read."""
    sizes = banding or Banding(bands=0)
    found = [tokens.fingerprint(text) for text in texts]
    num_words = np.array([f.num_words for f in found], np.uint32)
    is_long = num_words.astype(np.int64) - sizes.ngram + 1 > minhash_reference.LONG_TEXT
    long_texts = np.flatnonzero(is_long if sizes.bands else np.zeros(len(texts), np.bool_))
    band_keys, long_keys = _band_keys(texts, sizes, num_words, long_texts)
    prints = Prints(
        keys=np.array([f.key for f in found], np.uint64).reshape(-1, 2),
        quantities=np.array([f.quantities for f in found], np.uint64),
        num_words=num_words,
        band_keys=band_keys,
        long_texts=long_texts.astype(np.uint32),
        long_keys=long_keys,
    )
    if index is None:
        return prints, NO_MATCHES
    numbers = [index.found(text) for text in texts]
    return prints, Matches(
        offset=np.cumsum([0, *map(len, numbers)]).astype(np.int64),
        numbers=np.concatenate([*numbers, np.empty(0, np.int64)]).astype(np.uint32),
        contained=index.containments(texts, least_tokens),
    )


def _band_keys(
    texts: Sequence[str], sizes: Banding, num_words: NDArray[np.uint32], long_texts: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Keys by MinHash, uint64 [bands, N], and of the long texts by one permutation, uint64 [bands, L]."""
    bins = sizes.bands * sizes.rows
    factors, offsets = minhash_reference.permutations(bins, sizes.seed)
    slots = minhash_reference.signatures(texts, sizes.ngram, factors, offsets)
    has_keys = num_words >= sizes.ngram
    long_slots = np.empty((len(long_texts), bins), np.uint32)
    for row, text in enumerate(long_texts.tolist()):
        grams = minhash_reference.word_grams(texts[text], sizes.ngram)
        long_slots[row], has_keys[text] = minhash_reference.one_permutation(grams, bins)
    keys = minhash_reference.band_keys(slots, sizes.bands, sizes.rows).T
    long_keys = minhash_reference.band_keys(long_slots, sizes.bands, sizes.rows).T
    return np.ascontiguousarray(np.where(has_keys, keys, np.uint64(0))), np.ascontiguousarray(long_keys)


def find_duplicates(
    texts: Sequence[str],
    prints: Prints,
    threshold: float,
    ngram: int,
    rank: NDArray[np.int64] | None,
    active: NDArray[np.uint8] | None,
    loose: NDArray[np.uint8] | None,
    settled: NDArray[np.uint8] | None,
    label_variants: bool,
    max_bucket: int,
    max_candidates: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """As corpus.find_duplicates, with ranks in place of an order."""
    nobody = np.zeros(len(texts), np.uint8)
    resolver = duplicates_reference.Resolver(
        texts=texts,
        keys=[(int(one), int(other)) for one, other in prints.keys],
        quantities=prints.quantities.tolist(),
        band_keys=prints.band_keys.T.tolist(),
        long_keys=dict(zip(prints.long_texts.tolist(), prints.long_keys.T.tolist(), strict=True)),
        ngram=ngram,
        threshold=threshold,
        loose=nobody if loose is None else loose,
        settled=nobody if settled is None else settled,
        max_bucket=max_bucket,
        max_candidates=max_candidates,
    )
    return resolver.resolve(rank, np.ones_like(nobody) if active is None else active, label_variants)
