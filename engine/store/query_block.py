"""Queries as flat arrays, thousands at once: what curation compares and writes of each, and no object for any."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.records import CATEGORIES, Query, Reject
from reasonmill.engine.store.readers import query_to_json
from reasonmill.kernels.texts import Excerpts, Spans

_CATEGORY = {name: number for number, name in enumerate(CATEGORIES)}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryBlock:
    """Consecutive rows: N queries, and the rows between them that are none.

    `ids` of N; `records` of N: each query as a JSON line of readers.query_to_json; `categories` uint8 [N]: places in
    CATEGORIES; `rejects`: each with the number of queries of the block before it. A text (Query.text) that stands in
    its record as it is has `text_size` bytes from `text_at` of it on, int32 [N]; of others `text_at` is -1, and
    `other_texts` of N has them.
    """

    ids: Spans
    records: Spans
    categories: NDArray[np.uint8]
    text_at: NDArray[np.int32]
    text_size: NDArray[np.int32]
    other_texts: Spans
    rejects: Sequence[tuple[int, Reject]]

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def num_rows(self) -> int:
        """Queries and rejects."""
        return len(self) + len(self.rejects)

    @property
    def texts(self) -> Excerpts:
        """Text of each query."""
        is_there = self.text_at >= 0
        return Excerpts(
            bytes=self.records.bytes,
            more=self.other_texts.bytes,
            places=np.where(is_there, self.records.offsets[:-1] + self.text_at, ~self.other_texts.offsets[:-1]),
            sizes=np.where(is_there, self.text_size, np.diff(self.other_texts.offsets)),
        )

    def first(self, count: int) -> "QueryBlock":
        """The first rows, up to and with so many queries."""
        return QueryBlock(
            ids=_first(self.ids, count),
            records=_first(self.records, count),
            categories=self.categories[:count],
            text_at=self.text_at[:count],
            text_size=self.text_size[:count],
            other_texts=_first(self.other_texts, count),
            rejects=[(before, reject) for before, reject in self.rejects if before < count],
        )

    def with_rows(self, rows: Sequence[tuple[int, Query | Reject]]) -> "QueryBlock":
        """The block, which has no rejects yet, with further rows put in, each behind so many of its queries."""
        places = [before for before, row in rows if isinstance(row, Query)]
        queries = [row for _, row in rows if isinstance(row, Query)]
        rejects, num_queries = [], 0
        for before, row in rows:
            if isinstance(row, Reject):
                rejects.append((before + num_queries, row))
            else:
                num_queries += 1
        put = block_of(queries)
        return QueryBlock(
            ids=_woven(self.ids, put.ids, places),
            records=_woven(self.records, put.records, places),
            categories=np.insert(self.categories, places, put.categories),
            text_at=np.insert(self.text_at, places, put.text_at),
            text_size=np.insert(self.text_size, places, put.text_size),
            other_texts=_woven(self.other_texts, put.other_texts, places),
            rejects=rejects,
        )


def block_of(rows: Iterable[Query | Reject]) -> QueryBlock:
    """The rows as a block."""
    queries: list[Query] = []
    rejects: list[tuple[int, Reject]] = []
    for row in rows:
        if isinstance(row, Query):
            queries.append(row)
        else:
            rejects.append((len(queries), row))
    records = [orjson.dumps(query_to_json(query), option=orjson.OPT_APPEND_NEWLINE) for query in queries]
    return QueryBlock(
        ids=_spans([query.id.encode("utf-8", "surrogatepass") for query in queries]),
        records=_spans(records),
        categories=np.array([_CATEGORY[query.category] for query in queries], np.uint8),
        text_at=np.full(len(queries), -1, np.int32),
        text_size=np.zeros(len(queries), np.int32),
        other_texts=_spans([query.text.encode("utf-8", "surrogatepass") for query in queries]),
        rejects=rejects,
    )


def _spans(parts: Sequence[bytes]) -> Spans:
    ends = np.array(list(accumulate(map(len, parts), initial=0)), np.int64)
    return Spans(bytes=np.frombuffer(b"".join(parts), np.uint8), offsets=ends)


def _first(spans: Spans, count: int) -> Spans:
    return Spans(bytes=spans.bytes[: spans.offsets[count]], offsets=spans.offsets[: count + 1])


def _woven(spans: Spans, put: Spans, places: Sequence[int]) -> Spans:
    """The texts of both in one order: text k of `put` stands behind `places[k]`, ascending, of `spans`."""
    if not len(put):
        return spans
    if not len(spans):
        return put
    parts, at = [], 0
    for place, start, end in zip(
        spans.offsets[places].tolist(), put.offsets[:-1].tolist(), put.offsets[1:].tolist(), strict=True
    ):
        parts += [spans.bytes[at:place], put.bytes[start:end]]
        at = place
    parts.append(spans.bytes[at:])
    lengths = np.insert(np.diff(spans.offsets), places, np.diff(put.offsets))
    return Spans(bytes=np.concatenate(parts), offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64))
