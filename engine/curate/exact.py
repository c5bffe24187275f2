"""Exact duplicates: texts that read the same once case, spaces, punctuation and diacritics are folded away.

Numbers and mathematical signs count. A text without any word or sign equals only a text of the same bytes.
"""

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.minhash import Fingerprints


def exact_duplicates(fingerprints: Fingerprints, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the first text, in `order`, with the same 128-bit key, int64 [N]; its own where it is the first."""
    keys = fingerprints.keys
    first = np.arange(len(keys))
    if not len(keys):
        return first
    by_key = order[np.lexsort((keys[order, 1], keys[order, 0]))]  # stable: equal keys stay in order
    starts = np.empty(len(keys), bool)
    starts[0] = True
    np.any(keys[by_key[1:]] != keys[by_key[:-1]], axis=1, out=starts[1:])
    first[by_key] = by_key[np.flatnonzero(starts)[np.cumsum(starts) - 1]]
    return first
