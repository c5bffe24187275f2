"""The native module, built from kernels/csrc. Call it through the wrappers, which check what they pass on."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TABLE_SIZE: int

def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> bool: ...
def signatures(
    texts: Sequence[str],
    ngram: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    table: NDArray[np.uint32],
    threads: int,
) -> NDArray[np.uint32]: ...
def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]: ...
def best_fit_decreasing(
    lengths: NDArray[np.int64], capacity: int, row_of: NDArray[np.int32], offset_of: NDArray[np.int32]
) -> int: ...
def best_fit_in_order(
    lengths: NDArray[np.int64],
    order: NDArray[np.int64],
    capacity: int,
    row_of: NDArray[np.int32],
    offset_of: NDArray[np.int32],
) -> int: ...

class RowStore:
    def __init__(
        self,
        tokens: NDArray[np.uint32],
        target_bits: NDArray[np.uint8],
        documents: NDArray[np.uint64],
        members: NDArray[np.uint32],
        rows: NDArray[np.uint64],
        files: Sequence[tuple[str, int]],
    ) -> None: ...
    def documents_of(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.int32]]: ...
    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[np.uint32]) -> int: ...
    def label_rows(
        self,
        indices: NDArray[np.int64],
        input_ids: NDArray[np.int64],
        position_ids: NDArray[np.int64],
        labels: NDArray[np.int64],
    ) -> int: ...

class NgramIndex:
    def __init__(
        self, items: Sequence[str], ngram: int, short_ngram: int, short_tokens: int, table: NDArray[np.uint32]
    ) -> None: ...
    @property
    def grams(self) -> NDArray[np.uint64]: ...
    @property
    def item_offset(self) -> NDArray[np.uint64]: ...
    @property
    def item_grams(self) -> NDArray[np.uint32]: ...
    def densest(
        self,
        texts: Sequence[str],
        items: NDArray[np.int64],
        weights: NDArray[np.uint32],
        stretch: float,
        table: NDArray[np.uint32],
    ) -> NDArray[np.uint64]: ...
    def overlaps(
        self,
        offset: NDArray[np.int64],
        numbers: NDArray[np.uint32],
        weights: NDArray[np.uint32],
        least_share: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]: ...

class Texts:
    def __init__(self, source: Sequence[str]) -> None: ...

def read(
    texts: Texts,
    table: NDArray[np.uint32],
    ngram: int,
    bands: int,
    rows: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    index: NgramIndex | None,
    least_tokens: int,
    threads: int,
) -> tuple[
    NDArray[np.uint64],
    NDArray[np.uint64],
    NDArray[np.uint32],
    NDArray[np.uint64],
    NDArray[np.uint32],
    NDArray[np.uint64],
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.int64],
]: ...
def hints(texts: Texts) -> NDArray[np.uint8]: ...
def suspects(texts: Texts) -> NDArray[np.uint8]: ...

class QueryRules:
    def __init__(
        self,
        answer_keys: Sequence[str],
        other_keys: Sequence[str],
        roles: Sequence[tuple[str, str]],
        categories: Sequence[str],
        category: str,
        source: bytes,
    ) -> None: ...

def read_query_lines(
    content: NDArray[np.uint8], rules: QueryRules
) -> tuple[
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.uint8],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int64],
]: ...
def whole_lines(content: NDArray[np.uint8], max_lines: int, max_bytes: int) -> tuple[int, int]: ...
def duplicates(
    texts: Texts,
    keys: NDArray[np.uint64],
    quantities: NDArray[np.uint64],
    num_words: NDArray[np.uint32],
    band_keys: NDArray[np.uint64],
    long_texts: NDArray[np.uint32],
    long_keys: NDArray[np.uint64],
    table: NDArray[np.uint32],
    ngram: int,
    threshold: float,
    rank: NDArray[np.int64] | None,
    active: NDArray[np.uint8] | None,
    loose: NDArray[np.uint8] | None,
    settled: NDArray[np.uint8] | None,
    label_variants: bool,
    max_bucket: int,
    max_candidates: int,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]: ...
def mark_known(known: NDArray[np.uint64], keys: NDArray[np.uint64], marks: NDArray[np.uint8], threads: int) -> None: ...
