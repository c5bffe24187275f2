"""Many texts, each read once: keys, numbers, band keys and matches with evaluation items; then duplicates among them.

Native where available, else the reference that gives the same answers; neither depends on the number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, corpus_reference, minhash_reference, native_available
from reasonmill.kernels.corpus_reference import Banding
from reasonmill.kernels.ngrams import Matches, NgramIndex
from reasonmill.kernels.texts import Texts, as_strings, check_count

if native_available:
    from reasonmill.kernels import _native

__all__ = ["Banding", "Corpus", "Duplicates"]

# Both bound the work on templates, where thousands of texts share buckets without being alike.
MAX_BUCKET = 32  # kept texts of one bucket that are candidates for a text
MAX_CANDIDATES = 32  # of all its candidates, those compared with it


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicates:
    """Of N texts: `kept_as` int64 [N] (the text that stands for each, itself if kept, -1 if it took no part), `jaccard`
    float64 [N] (similarity of the two), `variant_of` int64 [N] (a kept text that is alike but for its numbers, or -1).
    """

    kept_as: NDArray[np.int64]
    jaccard: NDArray[np.float64]
    variant_of: NDArray[np.int64]


class Corpus:
    """Texts that were read. `banding` None: no near-duplicates; `index` None: no matches."""

    def __init__(
        self,
        texts: Texts,
        *,
        banding: Banding | None = None,
        index: NgramIndex | None = None,
        least_tokens: int = 1,
        num_threads: int = 0,
    ) -> None:
        check_count(texts)
        self._num_threads = num_threads
        self._banding = banding
        if native_available:
            sizes = banding or Banding(bands=0, rows=0)
            factors, offsets = minhash_reference.permutations(sizes.bands * sizes.rows, sizes.seed)
            within = None if index is None else index.native
            self._inner: _native.Corpus | corpus_reference.Corpus = _native.Corpus(
                cast("Sequence[str]", texts),
                characters.table(),
                sizes.ngram,
                sizes.bands,
                sizes.rows,
                factors,
                offsets,
                within,
                least_tokens,
                num_threads,
            )
        else:
            twin = None if index is None else index.twin
            self._inner = corpus_reference.Corpus(as_strings(texts), banding, twin, least_tokens)
        self.num_texts = len(texts)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Of each token sequence, or of the bytes where a text has no token, uint64 [N, 2]."""
        return self._inner.keys

    @property
    def quantities(self) -> NDArray[np.uint64]:
        """Hash of the multiset of numbers and signs of each text, uint64 [N]."""
        return self._inner.quantities

    @property
    def num_words(self) -> NDArray[np.int64]:
        """Words of each text, int64 [N]."""
        return self._inner.num_words

    @property
    def band_keys(self) -> NDArray[np.uint64]:
        """Key of each band of each text, uint64 [bands, N]; undefined for texts of fewer words than an n-gram."""
        return self._inner.band_keys

    @property
    def matches(self) -> Matches:
        """What of the index stands in each text."""
        return Matches(
            offset=self._inner.match_offset, numbers=self._inner.match_numbers, contained=self._inner.contained
        )

    def duplicates(
        self,
        threshold: float,
        *,
        order: NDArray[np.int64] | None = None,
        active: NDArray[np.bool_] | None = None,
        loose: NDArray[np.bool_] | None = None,
        label_variants: bool = False,
        max_bucket: int = MAX_BUCKET,
        max_candidates: int = MAX_CANDIDATES,
    ) -> Duplicates:
        """Which text stands for which. Rules: duplicates_reference.py.

        `order` int64 [N] is a permutation: earlier ones claim to be kept first (None: by content, so that arrival does
        not matter). `active` bool [N]: those that take part. `loose` bool [N]: those whose numbers may differ from each
        other's. Raises ValueError for other shapes, no permutation, or a threshold outside (0, 1].
        """
        assert self._banding is not None, "made without bands"
        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"threshold: {threshold} is outside (0, 1]")
        for name, size in (("max_bucket", max_bucket), ("max_candidates", max_candidates)):
            if size < 1:
                raise ValueError(f"{name}: {size} is not positive")
        kept_as, jaccard, variant_of = self._inner.duplicates(
            threshold,
            None if order is None else self._ranks(order),
            self._flags(active, "active"),
            self._flags(loose, "loose"),
            label_variants,
            max_bucket,
            max_candidates,
            self._num_threads,
        )
        return Duplicates(kept_as=kept_as, jaccard=jaccard, variant_of=variant_of)

    def _ranks(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        count = self.num_texts
        if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
            raise ValueError(f"order is no permutation of {count} texts")
        ranks = np.empty(count, np.int64)
        ranks[order] = np.arange(count)
        return ranks

    def _flags(self, flags: NDArray[np.bool_] | None, name: str) -> NDArray[np.uint8] | None:
        if flags is None:
            return None
        if flags.shape != (self.num_texts,) or flags.dtype != np.bool_:
            raise ValueError(f"{name} is {flags.dtype} {flags.shape}, expected bool ({self.num_texts},)")
        return np.ascontiguousarray(flags).view(np.uint8)
