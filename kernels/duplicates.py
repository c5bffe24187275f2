"""Near-duplicates of a list of texts: native where available, else the reference that gives the same answer."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, duplicates_reference, minhash_reference, native_available

if native_available:
    from reasonmill.kernels import _native

NGRAM = 5  # words
BANDS, ROWS = 25, 5  # a pair of similarity 0.8 shares a band with probability 1 - (1 - 0.8^5)^25 = 0.99995
SEED = 1
# Both bound the work on templates, where thousands of texts share buckets without being alike.
MAX_BUCKET = 32  # kept texts of one bucket that are candidates for a text
MAX_CANDIDATES = 32  # of all its candidates, those compared with it
_MAX_TEXTS = 2**32 - 1  # the native code numbers texts in 32 bits


def near_duplicates(
    texts: Sequence[str],
    order: NDArray[np.int64],
    threshold: float,
    *,
    bands: int = BANDS,
    rows: int = ROWS,
    max_bucket: int = MAX_BUCKET,
    max_candidates: int = MAX_CANDIDATES,
    num_threads: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each text the one that stands for it (itself if kept), int64 [N], and their similarity, float64 [N].

    `order` int64 [N] is the permutation in which texts claim to be kept. Rules: duplicates_reference.py.
    Raises ValueError for an order that is no permutation or a threshold outside (0, 1].
    """
    count = len(texts)
    if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
        raise ValueError(f"order is no permutation of {count} texts")
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold: {threshold} is outside (0, 1]")
    sizes = {"bands": bands, "rows": rows, "max_bucket": max_bucket, "max_candidates": max_candidates}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: {size} is not positive")
    if count >= _MAX_TEXTS:
        raise ValueError(f"{count} texts at once are too many: the limit is {_MAX_TEXTS - 1}")
    factors, offsets = minhash_reference.permutations(bands * rows, SEED)
    order = np.ascontiguousarray(order, np.int64)
    if native_available:
        return _native.near_duplicates(
            texts,
            order,
            threshold,
            NGRAM,
            bands,
            rows,
            factors,
            offsets,
            max_bucket,
            max_candidates,
            characters.table(),
            num_threads,
        )
    return duplicates_reference.near_duplicates(
        texts, order, threshold, NGRAM, bands, rows, factors, offsets, max_bucket, max_candidates
    )
