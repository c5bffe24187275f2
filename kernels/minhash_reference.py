"""Twin of csrc/core/minhash.cpp in NumPy, bit-identical to it and to datasketch 2.0's affine32 sketches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.hashes_reference import (
    CHUNK,
    LENGTH,
    MASK,
    WORD_SEED,
    gram_hashes,
    mix32,
    mix32_array,
    mix64_array,
)
from reasonmill.kernels.tokens import tokenize

LONG_TEXT = 4096  # n-grams; texts of more are hashed by one permutation (csrc/core/one_permutation.h)
_EMPTY = 0xFFFF_FFFF


def permutations(num_perm: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Factors (odd) and offsets of datasketch 2.0's affine32 permutations, uint32 [num_perm] each."""
    generator = np.random.RandomState(seed)
    factors = generator.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, generator.randint(0, 1 << 32, num_perm, dtype=np.uint32)


def word_grams(text: str, ngram: int) -> NDArray[np.uint64]:
    """Hashes of the word n-grams of a text in order, uint64 [num_words - ngram + 1]."""
    return gram_hashes([token.hash for token in tokenize(text) if token.is_word], ngram)


def signature(
    grams: NDArray[np.uint64], factors: NDArray[np.uint32], offsets: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Least permuted hash of the grams, uint32 [num_perm]; all ones where there is no gram."""
    mixed = mix32_array((grams >> np.uint64(32)).astype(np.uint32))
    permuted = mixed[:, None] * factors[None, :] + offsets[None, :]
    return permuted.min(axis=0, initial=0xFFFF_FFFF)


def signatures(
    texts: Sequence[str], ngram: int, factors: NDArray[np.uint32], offsets: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Signature of each text, uint32 [len(texts), num_perm]."""
    result = np.empty((len(texts), len(factors)), np.uint32)
    for row, text in enumerate(texts):
        result[row] = signature(word_grams(text, ngram), factors, offsets)
    return result


def band_keys(slots: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Key of each band of `rows` slots (band, bands + band, …), uint64 [N, bands]; equal slots of different bands have
    different keys.
    """
    keys = np.empty((len(slots), bands), np.uint64)
    for band in range(bands):
        h = np.full(len(slots), (WORD_SEED + band * LENGTH) & MASK, np.uint64)
        for row in range(rows):
            h = (h ^ slots[:, row * bands + band].astype(np.uint64)) * np.uint64(CHUNK)
            h ^= h >> np.uint64(29)
        keys[:, band] = mix64_array(h)
    return keys


def one_permutation(grams: NDArray[np.uint64], bins: int) -> tuple[NDArray[np.uint32], bool]:
    """The least high half of the grams of each bin, uint32 [bins], and whether so few distinct ones are among them that
    the text may be like one of LONG_TEXT: then it has MinHash keys too.
    """
    least = np.full(bins, _EMPTY, np.uint32)
    bin_of = (grams & np.uint64(_EMPTY)) * np.uint64(bins) >> np.uint64(32)
    np.minimum.at(least, bin_of.astype(np.int64), (grams >> np.uint64(32)).astype(np.uint32))
    total = sum(1 << 32 if value == _EMPTY else value for value in least.tolist())
    slots = least.copy()
    for number in np.flatnonzero(least == _EMPTY).tolist() if (least != _EMPTY).any() else ():
        source, tried = number, 1
        while least[source] == _EMPTY:
            source = mix32((number * 0x9E37_79B9 + tried) & _EMPTY) * bins >> 32
            tried += 1
        slots[number] = least[source]
    return slots, total * (2 * LONG_TEXT + bins) > bins * bins << 32
