"""Many texts, each read once: keys, numbers, band keys and matches with evaluation items; then duplicates among them.

Texts may be read in parts and looked at together later (`read`, `Prints.joined`, `find_duplicates`), or at once
(`Corpus`). Native where available, else the reference that gives the same answers; neither depends on the number of
threads, nor on the parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import cast

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import characters, corpus_reference, minhash_reference, native_available
from reasonmill.kernels.corpus_reference import Banding
from reasonmill.kernels.ngrams import Matches, NgramIndex
from reasonmill.kernels.prints import Prints
from reasonmill.kernels.texts import Texts, as_strings, check_threads, held

if native_available:
    from reasonmill.kernels import _native

__all__ = ["Banding", "Corpus", "Duplicates", "find_duplicates", "mark_known", "read"]

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Flags:
    """What `find_duplicates` says of the texts."""

    order: NDArray[np.int64] | None = None
    active: NDArray[np.bool_] | None = None
    loose: NDArray[np.bool_] | None = None
    settled: NDArray[np.bool_] | None = None


def read(
    texts: Texts,
    *,
    banding: Banding | None = None,
    index: NgramIndex | None = None,
    least_tokens: int = 1,
    num_threads: int = 0,
) -> tuple[Prints, Matches]:
    """One walk over each text. `banding` None: no band keys; `index` None: no matches."""
    return _read(_held(held(texts)), banding, index, least_tokens, num_threads)


def find_duplicates(
    texts: Texts,
    prints: Prints,
    threshold: float,
    *,
    ngram: int = Banding().ngram,
    order: NDArray[np.int64] | None = None,
    active: NDArray[np.bool_] | None = None,
    loose: NDArray[np.bool_] | None = None,
    settled: NDArray[np.bool_] | None = None,
    label_variants: bool = False,
    max_bucket: int = MAX_BUCKET,
    max_candidates: int = MAX_CANDIDATES,
    num_threads: int = 0,
) -> Duplicates:
    """Which text stands for which. Rules: duplicates_reference.py. `prints` are of these texts.

    `order` int64 [N] is a permutation: earlier ones claim to be kept first (None: by content, so that arrival does
    not matter). `active` bool [N]: those that take part. `loose` bool [N]: those whose numbers may differ from each
    other's. `settled` bool [N]: those that were kept before and are kept now; they come first in `order`.
    Raises ValueError for other shapes, no permutation, or a threshold outside (0, 1].
    """
    flags = Flags(order=order, active=active, loose=loose, settled=settled)
    limits = (max_bucket, max_candidates)
    return _duplicates(_held(texts), prints, threshold, ngram, flags, limits, label_variants, num_threads)


def mark_known(
    known: NDArray[np.uint64], keys: NDArray[np.uint64], marks: NDArray[np.bool_], *, num_threads: int = 0
) -> None:
    """Set `marks` bool [N] where `known` uint64 [N] is one of `keys` uint64 [M] and not 0."""
    assert marks.shape == known.shape, "a mark for each known key"
    if native_available:
        _native.mark_known(np.ascontiguousarray(known), np.ascontiguousarray(keys), marks.view(np.uint8), num_threads)
    else:
        marks |= np.isin(known, keys) & (known != 0)


class Corpus:
    """Texts that were read at once, and held. `banding` None: no near-duplicates; `index` None: no matches."""

    def __init__(
        self,
        texts: Texts,
        *,
        banding: Banding | None = None,
        index: NgramIndex | None = None,
        least_tokens: int = 1,
        num_threads: int = 0,
    ) -> None:
        texts = held(texts)
        check_threads(num_threads)
        self._texts = _held(texts)
        self._banding = banding
        self._num_threads = num_threads
        self.prints, self._matches = _read(self._texts, banding, index, least_tokens, num_threads)
        self.num_texts = len(texts)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Of each token sequence, or of the bytes where a text has no token, uint64 [N, 2]."""
        return self.prints.keys

    @property
    def quantities(self) -> NDArray[np.uint64]:
        """Hash of the multiset of numbers and signs of each text, uint64 [N]."""
        return self.prints.quantities

    @property
    def num_words(self) -> NDArray[np.uint32]:
        """Words of each text, uint32 [N]."""
        return self.prints.num_words

    @property
    def band_keys(self) -> NDArray[np.uint64]:
        """MinHash key of each band of each text, uint64 [bands, N]; 0 for texts that have none."""
        return self.prints.band_keys

    @property
    def matches(self) -> Matches:
        """What of the index stands in each text."""
        return self._matches

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
        """`find_duplicates` among the texts."""
        assert self._banding is not None, "made without bands"
        flags = Flags(order=order, active=active, loose=loose)
        limits = (max_bucket, max_candidates)
        return _duplicates(
            self._texts, self.prints, threshold, self._banding.ngram, flags, limits, label_variants, self._num_threads
        )


def _held(texts: Texts) -> "_native.Texts | list[str]":
    """The texts as the native code takes them, or the twin."""
    return _native.Texts(cast("Sequence[str]", texts)) if native_available else as_strings(texts)


def _read(
    texts: "_native.Texts | list[str]",
    banding: Banding | None,
    index: NgramIndex | None,
    least_tokens: int,
    num_threads: int,
) -> tuple[Prints, Matches]:
    if isinstance(texts, list):
        return corpus_reference.read(texts, banding, None if index is None else index.twin, least_tokens)
    sizes = banding or Banding(bands=0, rows=0)
    factors, offsets = minhash_reference.permutations(sizes.bands * sizes.rows, sizes.seed)
    keys, quantities, num_words, band_keys, long_texts, long_keys, offset, numbers, contained = _native.read(
        texts,
        characters.table(),
        sizes.ngram,
        sizes.bands,
        sizes.rows,
        factors,
        offsets,
        None if index is None else index.native,
        least_tokens,
        num_threads,
    )
    prints = Prints(
        keys=keys,
        quantities=quantities,
        num_words=num_words,
        band_keys=band_keys,
        long_texts=long_texts,
        long_keys=long_keys,
    )
    return prints, Matches(offset=offset, numbers=numbers, contained=contained)


def _duplicates(
    texts: "_native.Texts | list[str]",
    prints: Prints,
    threshold: float,
    ngram: int,
    flags: Flags,
    limits: tuple[int, int],
    label_variants: bool,
    num_threads: int,
) -> Duplicates:
    if not isinstance(threshold, Real) or not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold: {threshold!r} is outside (0, 1]")
    for name, size in zip(("max_bucket", "max_candidates"), limits, strict=True):
        if size < 1:
            raise ValueError(f"{name}: {size} is not positive")
    count = len(prints)
    rank = None if flags.order is None else _ranks(flags.order, count)
    active, loose = _flags(flags.active, count, "active"), _flags(flags.loose, count, "loose")
    settled = _flags(flags.settled, count, "settled")
    assert settled is None or rank is not None, "what was kept before claims before all others"
    if isinstance(texts, list):
        found = corpus_reference.find_duplicates(
            texts, prints, threshold, ngram, rank, active, loose, settled, label_variants, *limits
        )
    else:
        found = _native.duplicates(
            texts,
            prints.keys,
            prints.quantities,
            prints.num_words,
            prints.band_keys,
            prints.long_texts,
            prints.long_keys,
            characters.table(),
            ngram,
            threshold,
            rank,
            active,
            loose,
            settled,
            label_variants,
            *limits,
            num_threads,
        )
    kept_as, jaccard, variant_of = found
    return Duplicates(kept_as=kept_as, jaccard=jaccard, variant_of=variant_of)


def _ranks(order: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    order = np.asarray(order)
    seen = np.zeros(count, np.bool_)
    if (
        order.dtype.kind in "iu"
        and order.shape == (count,)
        and (not count or (order.min() >= 0 and order.max() < count))
    ):
        seen[order] = True
    if not seen.all() or order.shape != (count,):
        raise ValueError(f"order is no permutation of {count} texts")
    ranks = np.empty(count, np.int64)
    ranks[order] = np.arange(count)
    return ranks


def _flags(flags: NDArray[np.bool_] | None, count: int, name: str) -> NDArray[np.uint8] | None:
    if flags is None:
        return None
    if flags.shape != (count,) or flags.dtype != np.bool_:
        raise ValueError(f"{name} is {flags.dtype} {flags.shape}, expected bool ({count},)")
    return np.ascontiguousarray(flags).view(np.uint8)
