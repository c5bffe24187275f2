"""Near-duplicates of a list of texts, without anything else: what `corpus.Corpus` finds, in one call."""

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.corpus import Banding, Corpus
from reasonmill.kernels.texts import Texts


def near_duplicates(
    texts: Texts,
    threshold: float,
    *,
    order: NDArray[np.int64] | None = None,
    banding: Banding | None = None,
    num_threads: int = 0,
    **limits: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each text the one that stands for it (itself if kept), int64 [N], and their similarity, float64 [N].

    Arguments, `limits` and errors are those of `Corpus.duplicates`.
    """
    corpus = Corpus(texts, banding=banding or Banding(), num_threads=num_threads)
    found = corpus.duplicates(threshold, order=order, **limits)
    return found.kept_as, found.jaccard
