"""The native module, built from kernels/csrc. Call it through the wrappers, which check what they pass on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TABLE_SIZE: int

def signatures(
    texts: Sequence[str],
    ngram: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    table: NDArray[np.uint32],
    threads: int,
) -> NDArray[np.uint32]: ...
def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]: ...
def fingerprints(
    texts: Sequence[str], table: NDArray[np.uint32], threads: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]: ...
def near_duplicates(
    texts: Sequence[str],
    order: NDArray[np.int64],
    threshold: float,
    ngram: int,
    bands: int,
    rows: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    max_bucket: int,
    max_candidates: int,
    table: NDArray[np.uint32],
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...

class NgramIndex:
    def __init__(self, items: Sequence[str], ngram: int, table: NDArray[np.uint32]) -> None: ...
    @property
    def grams(self) -> NDArray[np.uint64]: ...
    @property
    def item_offset(self) -> NDArray[np.uint64]: ...
    @property
    def item_grams(self) -> NDArray[np.uint32]: ...
    def count_texts(self, texts: Sequence[str], threads: int) -> NDArray[np.uint32]: ...
    def overlaps(
        self, texts: Sequence[str], weights: NDArray[np.uint32], least_share: float, threads: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]: ...
    def containments(self, texts: Sequence[str], least_tokens: int, threads: int) -> NDArray[np.int64]: ...
