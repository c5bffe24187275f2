"""Rows of any text input, one at a time: `.jsonl`, `.jsonl.zst`, `.json` and `.parquet`. A row that cannot be read
is a row with an error and its line number, never a crash and never the end of the file. A file that is cut off or
damaged, so that nobody knows how many rows are lost, is an error that names it.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import zstandard

from reasonmill.engine.store.zst_frames import check_whole

MAX_LINE_BYTES = 64 * 2**20  # a longer line is an error row: it would be a whole corpus on one line
_PARQUET_BATCH_ROWS = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row with its line number (from 1); exactly one of `value` and `error` is set."""

    line: int
    value: dict[str, Any] | None = None
    error: str | None = None


def read_rows(path: str | Path) -> Iterator[Row]:
    """Rows of a file in order, in bounded memory but for `.json`, which is one array.

    Raises FileNotFoundError, or ValueError for an unknown file type, or a file that is not whole or not of its type.
    """
    path = existing(path)
    name = path.name
    if name.endswith(".jsonl"):
        with path.open("rb") as stream:
            yield from _lines(stream)
    elif name.endswith(".jsonl.zst"):
        yield from _compressed_lines(path)
    elif name.endswith(".json"):
        yield from _array(path)
    elif name.endswith(".parquet"):
        yield from _parquet(path)
    else:
        raise ValueError(f"{str(path)!r}: known input types are .jsonl, .jsonl.zst, .json and .parquet")


def existing(path: str | Path) -> Path:
    """The path of a file. Raises FileNotFoundError."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"input file {str(path)!r} does not exist or is not a file")
    return path


def row_of_line(line: int, text: bytes) -> Row:
    """Row of a line that is not blank."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Row(line=line, error=f"not JSON: {error}")
    if not isinstance(value, dict):
        return Row(line=line, error=f"not a JSON object but {type(value).__name__}")
    return Row(line=line, value=value)


def too_long(line: int) -> Row:
    """Row of a line that is longer than MAX_LINE_BYTES, its newline included."""
    return Row(line=line, error=f"longer than {MAX_LINE_BYTES} bytes")


def _lines(stream: io.BufferedIOBase) -> Iterator[Row]:
    line = 0
    while text := stream.readline(MAX_LINE_BYTES + 1):
        line += 1
        if len(text) > MAX_LINE_BYTES:
            while text and not text.endswith(b"\n"):
                text = stream.readline(MAX_LINE_BYTES)
            yield too_long(line)
            continue
        text = text[3:] if line == 1 and text.startswith(b"\xef\xbb\xbf") else text
        if text.strip():
            yield row_of_line(line, text)


@contextmanager
def decompressed(path: Path) -> Iterator[zstandard.ZstdDecompressionReader]:
    """The content of a compressed file. Raises ValueError where it is cut off or no zstd."""
    check_whole(path)
    with path.open("rb") as raw:
        # long-window frames, as released by the authors of arXiv 2503.19633, need the larger limit
        decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
        yield decompressor.stream_reader(raw, read_across_frames=True)


def breaks(path: Path, line: int, error: zstandard.ZstdError) -> ValueError:
    """What is said of a compressed file whose content cannot be read behind this line."""
    return ValueError(f"{str(path)!r}: the compressed stream breaks behind line {line}: {error}")


def _compressed_lines(path: Path) -> Iterator[Row]:
    line = 0
    with decompressed(path) as stream:
        try:
            for row in _lines(io.BufferedReader(stream)):
                line = row.line
                yield row
        except zstandard.ZstdError as error:
            raise breaks(path, line, error) from None


def _array(path: Path) -> Iterator[Row]:
    try:
        content = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ValueError(f"{str(path)!r} is not JSON: {error}") from None
    if not isinstance(content, list):
        raise ValueError(f"{str(path)!r} holds {type(content).__name__}, expected an array of objects")
    for index, value in enumerate(content, start=1):
        if isinstance(value, dict):
            yield Row(line=index, value=value)
        else:
            yield Row(line=index, error=f"not a JSON object but {type(value).__name__}")


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        parquet = pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{str(path)!r} is not parquet: {error}") from None
    line = 0
    with parquet:
        batches = parquet.iter_batches(batch_size=_PARQUET_BATCH_ROWS)
        while True:
            try:
                values = next(batches).to_pylist()
            except StopIteration:
                return
            except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
                raise ValueError(f"{str(path)!r} is damaged behind row {line}: {error}") from None
            for value in values:
                line += 1
                yield Row(line=line, value=value)
