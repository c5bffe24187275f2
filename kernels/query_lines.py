"""Lines of query files, read natively where they are plain; all others are left to the caller, which has the reader
that says what is right (engine/store/readers.py). Without the native module no line is plain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import native_available
from reasonmill.kernels.texts import Spans

if native_available:
    from reasonmill.kernels import _native


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How rows become queries. A row that has one of `other_keys`, or one of `answer_keys` and no ground truth, is not
    plain. `category` and `source` are for rows that name none; `source` is JSON.
    """

    answer_keys: Sequence[str]
    other_keys: Sequence[str]
    roles: Mapping[str, str]
    categories: Sequence[str]
    category: str
    source: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryLines:
    """The N plain lines of a block as queries, and M others.

    `ids`, `texts` and `records` (JSON lines) of N, `categories` uint8 [N]: places among those of the rules. Most texts
    stand in their record as they are, `text_size` bytes from `text_at` on, int32 [N], and are empty in `texts`; of the
    others `text_at` is -1. `odd` int64 [M, 4]: queries before the line, its place among the lines of the block, and
    where it begins and ends.
    """

    ids: Spans
    texts: Spans
    records: Spans
    categories: NDArray[np.uint8]
    text_at: NDArray[np.int32]
    text_size: NDArray[np.int32]
    odd: NDArray[np.int64]


class LineReader:
    """Reads blocks of lines by the same rules; may be used by several threads, which it does not hold up."""

    def __init__(self, rules: Rules) -> None:
        if native_available:
            self._rules = _native.QueryRules(
                rules.answer_keys,
                rules.other_keys,
                list(rules.roles.items()),
                rules.categories,
                rules.category,
                rules.source,
            )

    def read(self, content: NDArray[np.uint8]) -> QueryLines:
        """Queries of a block, uint8 [B], of whole lines; the last one may lack its newline."""
        if not native_available:
            return _all_odd(content)
        ids, id_ends, texts, text_ends, records, record_ends, categories, text_at, text_size, odd = (
            _native.read_query_lines(content, self._rules)
        )
        return QueryLines(
            ids=Spans(bytes=ids, offsets=id_ends),
            texts=Spans(bytes=texts, offsets=text_ends),
            records=Spans(bytes=records, offsets=record_ends),
            categories=categories,
            text_at=text_at,
            text_size=text_size,
            odd=odd,
        )


def _all_odd(content: NDArray[np.uint8]) -> QueryLines:
    ends = np.flatnonzero(content == ord("\n")) + 1
    if len(content) and (not len(ends) or ends[-1] < len(content)):
        ends = np.append(ends, len(content))
    starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
    none = Spans(bytes=np.empty(0, np.uint8), offsets=np.zeros(1, np.int64))
    odd = np.stack((np.zeros(len(ends), np.int64), np.arange(len(ends)), starts, ends), axis=1)
    no_places = np.empty(0, np.int32)
    return QueryLines(
        ids=none,
        texts=none,
        records=none,
        categories=np.empty(0, np.uint8),
        text_at=no_places,
        text_size=no_places,
        odd=odd.astype(np.int64),
    )


def whole_lines(content: NDArray[np.uint8], max_lines: int, max_bytes: int) -> tuple[int, int]:
    """Bytes and number of the first whole lines: as many as end within `max_bytes`, up to `max_lines`; the first one
    even if it is longer.
    """
    if native_available:
        return _native.whole_lines(content, max_lines, max_bytes)
    ends = (np.flatnonzero(content == ord("\n")) + 1)[:max_lines]
    num_lines = min(len(ends), max(1, int(np.searchsorted(ends, max_bytes, side="right"))))
    return (int(ends[num_lines - 1]) if num_lines else 0), num_lines
