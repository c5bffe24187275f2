"""Query files in blocks. To go through a file is quick; the work is in reading each block, which may be done on any
thread. Lines of JSONL files, compressed or not, are read natively where they are plain, all other rows by `readers.py`:
those, too, whose question or answer stands under another key of `published.py`. Which of the two read a row cannot be
told from the result.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import orjson
import zstandard

from reasonmill.engine.records import CATEGORIES, Query, Reject
from reasonmill.engine.store.line_blocks import LineBlock, line_blocks
from reasonmill.engine.store.published import ANSWER_KEYS, QUESTION_KEYS
from reasonmill.engine.store.query_block import QueryBlock, block_of
from reasonmill.engine.store.readers import read_queries, read_query
from reasonmill.engine.store.responses import ROLES
from reasonmill.engine.store.rows import Row, breaks, decompressed, existing, row_of_line, too_long
from reasonmill.kernels.query_lines import LineReader, Rules

Unread = Callable[[], QueryBlock]


def unread_blocks(
    paths: Sequence[str | Path], *, category: str | None = None, max_rows: int, max_bytes: int
) -> Iterator[Unread]:
    """Blocks of the files in order, each to be read by calling it. A block has up to so many rows, and, but for a row
    that has more by itself, about so many bytes of text. `category` is for rows that name none.

    Raises FileNotFoundError, or ValueError where a whole file cannot be read.
    """
    for path in paths:
        if Path(path).name.endswith((".jsonl", ".jsonl.zst")):
            yield from _of_lines(path, category, max_rows, max_bytes)
        else:
            yield from _of_rows(path, category, max_rows, max_bytes)


def _of_lines(path: str | Path, category: str | None, max_rows: int, max_bytes: int) -> Iterator[Unread]:
    source = existing(path).name
    reader = LineReader(
        Rules(
            answer_keys=ANSWER_KEYS,
            other_keys=QUESTION_KEYS,
            roles=ROLES,
            categories=CATEGORIES,
            category=category or "other",
            source=orjson.dumps(source),
        )
    )
    read = partial(read_query, path=path, category=category, source=source)
    for lines in _blocks(existing(path), max_rows, max_bytes):
        yield partial(_read_lines, lines, reader, read)


def _blocks(path: Path, max_rows: int, max_bytes: int) -> Iterator[LineBlock]:
    if path.name.endswith(".jsonl"):
        with path.open("rb", buffering=0) as stream:
            yield from line_blocks(stream, max_lines=max_rows, max_bytes=max_bytes)
        return
    line = 1
    with decompressed(path) as content:
        try:
            for lines in line_blocks(content, max_lines=max_rows, max_bytes=max_bytes):
                line = lines.first_line
                yield lines
        except zstandard.ZstdError as error:
            raise breaks(path, line, error) from None


def _read_lines(lines: LineBlock, reader: LineReader, read: Callable[[Row], Query | Reject]) -> QueryBlock:
    if lines.content is None:
        return block_of([read(too_long(lines.first_line))])
    plain = reader.read(lines.content)
    block = QueryBlock(
        ids=plain.ids,
        records=plain.records,
        categories=plain.categories,
        text_at=plain.text_at,
        text_size=plain.text_size,
        other_texts=plain.texts,
        rejects=(),
    )
    odd: list[tuple[int, Query | Reject]] = []
    for num_before, line, start, end in plain.odd.tolist():
        text = lines.content[start:end].tobytes()
        if text.strip():
            odd.append((num_before, read(row_of_line(lines.first_line + line, text))))
    return block.with_rows(odd) if odd else block


def _of_rows(path: str | Path, category: str | None, max_rows: int, max_bytes: int) -> Iterator[Unread]:
    rows: list[Query | Reject] = []
    size = 0
    for row in read_queries([path], category=category):
        rows.append(row)
        size += sum(len(message.content) for message in row.messages) if isinstance(row, Query) else 0
        if len(rows) == max_rows or size >= max_bytes:
            yield partial(block_of, rows)
            rows, size = [], 0
    yield partial(block_of, rows)
