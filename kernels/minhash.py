"""MinHash signatures of texts: word n-grams, native where available, else the bit-identical reference.

The permutations are datasketch 2.0's affine32 (github.com/ekzhu/datasketch), so a signature equals datasketch's sketch
of the same n-gram hashes and seed.
"""

from collections.abc import Sequence
from numbers import Integral
from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, minhash_reference, native_available
from reasonmill.kernels.texts import Texts, as_strings, check_threads, held

if native_available:
    from reasonmill.kernels import _native

ALGORITHM = (
    "affine32-words/2"  # name it, with num_perm, ngram, seed and characters.table_hash(), where signatures are kept
)

BAND_ALGORITHM = "affine32-words/2, one-permutation-words/1"  # of the band keys that corpus.read makes
TOKENIZER = "words-signs/1"  # the rules of tokens.py: a change of them is a new number


def signatures(
    texts: Texts, num_perm: int = 128, ngram: int = 5, seed: int = 1, *, num_threads: int = 0
) -> NDArray[np.uint32]:
    """Signature of each text, uint32 [len(texts), num_perm]; all ones where a text has fewer than `ngram` words.

    `num_threads` 0 means every core; the result does not depend on it. Raises ValueError for sizes below 1
    and a seed that is no number of 32 bits, TypeError for what is no sequence of texts (a single one is not).
    """
    texts = held(texts)
    _check_positive(num_perm=num_perm, ngram=ngram)
    if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed: {seed!r} is no number from 0 to 2**32 - 1")
    check_threads(num_threads)
    factors, offsets = minhash_reference.permutations(num_perm, seed)
    if native_available:
        return _native.signatures(
            cast("Sequence[str]", texts), ngram, factors, offsets, characters.table(), num_threads
        )
    return minhash_reference.signatures(as_strings(texts), ngram, factors, offsets)


def band_keys(slots: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """Key of each band, uint64 [N, bands]; band b has the slots b, bands + b, … Raises ValueError for too few slots."""
    _check_positive(bands=bands, rows=rows)
    if slots.ndim != 2 or slots.dtype != np.uint32 or slots.shape[1] < bands * rows:
        raise ValueError(
            f"{bands} bands of {rows} rows need uint32 [N, >= {bands * rows}], not {slots.dtype} {slots.shape}"
        )
    if native_available:
        return _native.band_keys(np.ascontiguousarray(slots), bands, rows)
    return minhash_reference.band_keys(slots, bands, rows)


def _check_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise ValueError(f"{name}: {size!r} is no whole number")
        if size < 1:
            raise ValueError(f"{name}: {size} is not positive")
        if size >= 2**31:
            raise ValueError(f"{name}: {size} is too large: the limit is {2**31 - 1}")
