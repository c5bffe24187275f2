"""Queries set aside on disk between the two passes of curation: as JSON lines, and as the texts that are compared.

In memory are only ids and places, about 60 bytes for a query whose id is made of its content. The folder is emptied at
the beginning and removed at the end; what a killed process left there is not read.
"""

import mmap
import os
import shutil
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.id_order import Strings
from reasonmill.engine.records import Query
from reasonmill.engine.store.aside import named
from reasonmill.engine.store.query_block import QueryBlock
from reasonmill.engine.store.readers import query_from_json
from reasonmill.kernels.texts import Spans

_COPIED = 2**22  # bytes at once


class Spool:
    """Queries numbered from 0 as they are added; read back after `seal`. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records_end = array("q", [0])
        self._texts_end = array("q", [0])
        self._ids_end = array("q", [0])
        self._ids = bytearray()
        self._categories = bytearray()
        self._records: BinaryIO
        self._texts: BinaryIO

    def __enter__(self) -> "Spool":
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._records = (self._folder / "records.jsonl").open("w+b", buffering=2**20)
        self._texts = (self._folder / "texts").open("w+b", buffering=2**20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self._records, self._texts):
            with suppress(OSError):  # on a full disk what is still buffered fails again: it is not wanted any more
                stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._categories)

    def add(self, block: QueryBlock) -> None:
        """The next queries. Raises OSError that names the file where there is no room."""
        columns = (self._records_end, block.records), (self._texts_end, block.texts), (self._ids_end, block.ids)
        for ends, spans in columns:
            ends.frombytes((spans.offsets[1:] + ends[-1]).tobytes())
        self._ids += memoryview(block.ids.bytes)
        self._categories += memoryview(block.categories)
        with named(self._folder):
            self._records.write(memoryview(block.records.bytes))
            self._texts.write(memoryview(block.texts.bytes))

    def add_known(self, ids: Sequence[bytes], texts: Sequence[bytes]) -> None:
        """Earlier queries to compare with, numbered behind those that are added; they have no record."""
        _extend(self._ids_end, ids)
        _extend(self._texts_end, texts)
        self._ids += b"".join(ids)
        with named(self._folder):
            self._texts.write(b"".join(texts))

    def seal(self) -> None:
        """Everything was added; from now on it can be read."""
        with named(self._folder):
            for stream in (self._records, self._texts):
                stream.flush()
        self._text_map = _mapped(self._texts)

    @property
    def ids(self) -> Strings:
        """Id of each query."""
        return Strings(content=bytes(self._ids), ends=np.array(self._ids_end, np.int64))

    @property
    def categories(self) -> NDArray[np.uint8]:
        """Place of each query's category in CATEGORIES, uint8 [N]."""
        return np.frombuffer(bytes(self._categories), np.uint8)

    @property
    def texts(self) -> Spans:
        """All texts, mapped."""
        return Spans(bytes=np.frombuffer(self._text_map, np.uint8), offsets=np.array(self._texts_end, np.int64))

    def id(self, number: int) -> str:
        """Id of a query."""
        return self._ids[self._ids_end[number] : self._ids_end[number + 1]].decode("utf-8", "surrogatepass")

    def content(self, number: int) -> bytes:
        """Text of a query, as bytes."""
        return _part(self._texts, self._texts_end[number], self._texts_end[number + 1])

    def text(self, number: int) -> str:
        """Text of a query."""
        return self.content(number).decode("utf-8", "surrogatepass")

    def record(self, number: int) -> bytes:
        """A query as a JSON line."""
        return _part(self._records, self._records_end[number], self._records_end[number + 1])

    def copy_records(self, first: int, last: int, stream: BinaryIO) -> None:
        """Write the JSON lines of queries first … last - 1."""
        start, end = self._records_end[first], self._records_end[last]
        stream.writelines(_part(self._records, at, min(at + _COPIED, end)) for at in range(start, end, _COPIED))

    def same_question(self, number: int, other: int) -> bool:
        """Whether two queries have the same messages."""
        if self.record(number) == self.record(other):  # copies by the million are not parsed
            return True
        return self.query(number).messages == self.query(other).messages

    def query(self, number: int) -> Query:
        """A query."""
        return query_from_json(orjson.loads(self.record(number)))


def _extend(ends: "array[int]", parts: Sequence[bytes]) -> None:
    at = ends[-1]
    for part in parts:
        at += len(part)
        ends.append(at)


def _part(stream: BinaryIO, start: int, end: int) -> bytes:
    """Read, not mapped: what is mapped counts as memory of the process once it was looked at."""
    return os.pread(stream.fileno(), end - start, start)


def _mapped(stream: BinaryIO) -> mmap.mmap | bytes:
    stream.seek(0, 2)
    return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if stream.tell() else b""
