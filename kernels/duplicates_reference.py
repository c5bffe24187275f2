"""Twin of csrc/core/duplicates.cpp. Texts claim to be kept one after the other; each is compared with kept ones only.

The order of claims is that of the given ranks, or, where there are none, a function of content alone: by key, of equal
keys by bytes, of equal bytes by place. A text duplicates the first one with the same token sequence. Else, if it has
n-grams, it duplicates the first kept text that shares a bucket with it and reaches the threshold in Jaccard similarity
of n-grams. Buckets are those of equal band keys and equal quantities; between loose texts, of equal band keys alone;
long texts have band keys of another kind, which share no bucket with the others. A settled text is kept and compared
with none: it was, at an earlier time. A band key of 0 is none.
Candidates are the latest `max_bucket` kept texts of each bucket; compared are the `max_candidates` of them that share
the most buckets with it, of equals the first.

A kept text is a variant of an earlier kept one that reaches the threshold with other quantities; of each of its band
keys' buckets of kept texts the last one before it is tried, `VARIANTS_TRIED` of them, in the order of the bands.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import minhash_reference

VARIANTS_TRIED = 4

_Bucket = tuple[str, int, int, int]  # kind, band, band key, quantities
_Grams = frozenset[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolver:
    """Texts as they were read, and the limits."""

    texts: Sequence[str]
    keys: list[tuple[int, int]]
    quantities: list[int]
    band_keys: list[list[int]]
    long_keys: dict[int, list[int]]  # of long texts alone
    ngram: int
    threshold: float
    loose: NDArray[np.uint8]
    settled: NDArray[np.uint8]
    max_bucket: int
    max_candidates: int

    def resolve(
        self, rank: NDArray[np.int64] | None, active: NDArray[np.uint8], label_variants: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
        """What stands for each text, their similarity, and variants: int64, float64, int64 [N]."""
        kept_as = np.full(len(self.texts), -1, np.int64)
        jaccard = np.ones(len(self.texts))
        order = [text for text in self._order(rank) if active[text]]
        place = {text: number for number, text in enumerate(order)}
        first_with: dict[tuple[int, int], int] = {}
        buckets: dict[_Bucket, list[int]] = {}
        grams: dict[int, _Grams] = {}
        for text in order:
            first = first_with.setdefault(self.keys[text], text)
            if first != text:
                kept_as[text], jaccard[text] = kept_as[first], jaccard[first]
                continue
            grams[text] = frozenset(minhash_reference.word_grams(self.texts[text], self.ngram).tolist())
            own = self._buckets(text) if grams[text] else []
            if self.settled[text]:
                kept_as[text] = text
                for bucket in own:
                    buckets.setdefault(bucket, []).append(text)
                continue
            met = Counter(other for bucket in own for other in buckets.get(bucket, [])[-self.max_bucket :])
            candidates = sorted(met, key=lambda other: (-met[other], place[other]))[: self.max_candidates]
            for other in sorted(candidates, key=place.__getitem__):
                similarity = _jaccard(grams[text], grams[other])
                if similarity >= self.threshold:
                    kept_as[text], jaccard[text] = other, similarity
                    break
            else:
                kept_as[text] = text
                for bucket in own:
                    buckets.setdefault(bucket, []).append(text)
        kept = [text for text in order if kept_as[text] == text]
        return kept_as, jaccard, self._variants(kept, grams) if label_variants else np.full_like(kept_as, -1)

    def _order(self, rank: NDArray[np.int64] | None) -> list[int]:
        def content(text: int) -> tuple[tuple[int, int], bytes]:
            return self.keys[text], self.texts[text].encode("utf-8", "surrogatepass")

        everyone = range(len(self.texts))
        return sorted(everyone, key=content) if rank is None else sorted(everyone, key=rank.__getitem__)

    def _keys(self, text: int) -> list[tuple[str, int, int]]:
        """(kind, band, key) of each band that the text has a key of."""
        plain = [("plain", band, key) for band, key in enumerate(self.band_keys[text]) if key]
        return plain + [("long", band, key) for band, key in enumerate(self.long_keys.get(text, ()))]

    def _buckets(self, text: int) -> list[_Bucket]:
        keys = self._keys(text)
        strict = [(f"strict {kind}", band, key, self.quantities[text]) for kind, band, key in keys]
        return strict + [(f"loose {kind}", band, key, 0) for kind, band, key in keys] if self.loose[text] else strict

    def _variants(self, kept: list[int], grams: dict[int, _Grams]) -> NDArray[np.int64]:
        variant_of = np.full(len(self.texts), -1, np.int64)
        last_with: dict[tuple[str, int, int], int] = {}
        for text in kept:
            if not grams[text]:
                continue
            own = self._keys(text)
            others = dict.fromkeys(last_with[bucket] for bucket in own if bucket in last_with)
            other_numbers = [other for other in others if self.quantities[other] != self.quantities[text]]
            for other in () if self.settled[text] else other_numbers[:VARIANTS_TRIED]:
                if _jaccard(grams[text], grams[other]) >= self.threshold:
                    variant_of[text] = other
                    break
            last_with.update(dict.fromkeys(own, text))
        return variant_of


def _jaccard(left: _Grams, right: _Grams) -> float:
    common = len(left & right)
    return common / (len(left) + len(right) - common)
