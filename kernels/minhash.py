"""MinHash signatures of texts: word n-grams, native where available, else the bit-identical reference.

The permutations are datasketch 2.0's affine32 (github.com/ekzhu/datasketch), so a signature equals datasketch's sketch
of the same n-gram hashes and seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, minhash_reference, native_available, tokens

if native_available:
    from reasonmill.kernels import _native

ALGORITHM = (
    "affine32-words/1"  # name it, with num_perm, ngram, seed and characters.table_hash(), where signatures are kept
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprints:
    """Of N texts: `keys` uint64 [N, 2] (of the token sequence, or of the bytes where a text has no token),
    `quantities` uint64 [N] (hash of the multiset of numbers and signs), `num_words` int64 [N].
    """

    keys: NDArray[np.uint64]
    quantities: NDArray[np.uint64]
    num_words: NDArray[np.int64]


def signatures(
    texts: Sequence[str], num_perm: int = 128, ngram: int = 5, seed: int = 1, *, num_threads: int = 0
) -> NDArray[np.uint32]:
    """Signature of each text, uint32 [len(texts), num_perm]; all ones where a text has fewer than `ngram` words.

    `num_threads` 0 means every core; the result does not depend on it. Raises ValueError for sizes below 1.
    """
    _check_positive(num_perm=num_perm, ngram=ngram)
    factors, offsets = minhash_reference.permutations(num_perm, seed)
    if native_available:
        return _native.signatures(texts, ngram, factors, offsets, characters.table(), num_threads)
    return minhash_reference.signatures(texts, ngram, factors, offsets)


def band_keys(slots: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Key of each band of `rows` consecutive slots, uint64 [N, bands]. Raises ValueError if there are too few slots."""
    _check_positive(bands=bands, rows=rows)
    if slots.ndim != 2 or slots.dtype != np.uint32 or slots.shape[1] < bands * rows:
        raise ValueError(
            f"{bands} bands of {rows} rows need uint32 [N, >= {bands * rows}], not {slots.dtype} {slots.shape}"
        )
    if native_available:
        return _native.band_keys(np.ascontiguousarray(slots), bands, rows)
    return minhash_reference.band_keys(slots, bands, rows)


def fingerprints(texts: Sequence[str], *, num_threads: int = 0) -> Fingerprints:
    """Keys, quantities and word counts of the texts."""
    if native_available:
        keys, quantities, num_words = _native.fingerprints(texts, characters.table(), num_threads)
        return Fingerprints(keys=keys, quantities=quantities, num_words=num_words)
    found = [tokens.fingerprint(text) for text in texts]
    return Fingerprints(
        keys=np.array([f.key for f in found], np.uint64).reshape(-1, 2),
        quantities=np.array([f.quantities for f in found], np.uint64),
        num_words=np.array([f.num_words for f in found], np.int64),
    )


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: {size} is not positive")
