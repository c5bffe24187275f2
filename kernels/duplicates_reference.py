"""Twin of csrc/core/duplicates.cpp. Texts claim to be kept in the given order; each is compared with kept ones only.

A text duplicates an earlier one with the same token sequence. Else, if it has n-grams, it duplicates the first kept
text that has the same quantities, shares a band key with it and reaches the threshold in Jaccard similarity of n-grams.
Candidates are the latest `max_bucket` kept texts of each of its buckets; compared are the `max_candidates` of them that
share the most buckets with it, of equals the first.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import minhash_reference, tokens

_Bucket = tuple[int, int, int]  # band, band key, quantities


def near_duplicates(
    texts: Sequence[str],
    order: NDArray[np.int64],
    threshold: float,
    ngram: int,
    bands: int,
    rows: int,
    factors: NDArray[np.uint32],
    offsets: NDArray[np.uint32],
    max_bucket: int,
    max_candidates: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each text the one that stands for it, int64 [N], and their similarity, float64 [N]."""
    kept_as = np.empty(len(texts), np.int64)
    jaccard = np.ones(len(texts))
    first_with: dict[tuple[int, int], int] = {}
    buckets: dict[_Bucket, list[int]] = {}
    grams: dict[int, frozenset[int]] = {}
    for rank, text in enumerate(map(int, order)):
        print_ = tokens.fingerprint(texts[text])
        first = first_with.setdefault(print_.key, text)
        if first != text:
            kept_as[text], jaccard[text] = kept_as[first], jaccard[first]
            continue
        hashes = minhash_reference.word_grams(texts[text], ngram)
        grams[rank] = frozenset(map(int, hashes))
        own = _buckets(hashes, print_.quantities, bands, rows, factors, offsets) if len(hashes) else []
        met = Counter(other for bucket in own for other in buckets.get(bucket, [])[-max_bucket:])
        candidates = sorted(met, key=lambda other: (-met[other], other))[:max_candidates]
        for other in sorted(candidates):
            similarity = _jaccard(grams[rank], grams[other])
            if similarity >= threshold:
                kept_as[text], jaccard[text] = order[other], similarity
                break
        else:
            kept_as[text] = text
            for bucket in own:
                buckets.setdefault(bucket, []).append(rank)
    return kept_as, jaccard


def _buckets(
    hashes: NDArray[np.uint64],
    quantities: int,
    bands: int,
    rows: int,
    factors: NDArray[np.uint32],
    offsets: NDArray[np.uint32],
) -> list[_Bucket]:
    signature = minhash_reference.signature(hashes, factors, offsets)
    keys = minhash_reference.band_keys(signature[None, :], bands, rows)[0]
    return [(band, int(key), quantities) for band, key in enumerate(keys)]


def _jaccard(left: frozenset[int], right: frozenset[int]) -> float:
    common = len(left & right)
    return common / (len(left) + len(right) - common)
