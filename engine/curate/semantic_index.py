"""Close pairs of a pool too large for all products, by faiss: an inverted file of clusters, some of them looked at.

It may miss pairs and proposes no false ones, for all are checked exactly. faiss is imported here and nowhere else.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.embedding_search import MARGIN

_TRAINED = 64  # vectors of each cluster that its centre is found from
_LOOKED_AT = 0.05  # of the clusters; tests/engine/curate/test_semantic.py holds the recall


class IndexProposer:
    """Names pairs of one pool that may be close."""

    def __init__(self, vectors_ND: NDArray[np.float32], threshold: float) -> None:  # noqa: N803
        """Raises ModuleNotFoundError without faiss."""
        import faiss

        count, width = vectors_ND.shape
        self._vectors_ND = np.ascontiguousarray(vectors_ND)
        self._floor = threshold - MARGIN
        clusters = max(1, int(4 * count**0.5))
        clusters = min(clusters, max(1, count // 39))  # faiss wants 39 vectors for each
        faiss.omp_set_num_threads(1)  # the sums of its clustering depend on it
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, clusters, faiss.METRIC_INNER_PRODUCT)
        self._index.train(self._vectors_ND[:: max(1, count // (clusters * _TRAINED))])
        self._index.add(self._vectors_ND)
        self._index.nprobe = max(8, int(clusters * _LOOKED_AT))

    def pairs(
        self, start: int, end: int, kept: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """See semantic_search.Proposer."""
        limits, _, found = self._index.range_search(self._vectors_ND[start:end], self._floor)
        texts = np.repeat(np.arange(start, end), np.diff(limits.astype(np.int64)))
        others = found.astype(np.int64)
        before = others < texts
        texts, others = texts[before], others[before]
        wanted = np.zeros(end, np.bool_)
        wanted[kept] = True
        wanted[start:] = True
        chosen = wanted[others]
        yield texts[chosen], others[chosen]
