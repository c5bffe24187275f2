"""Queries set aside on disk between the two passes of curation: as JSON lines, and the texts that are compared where a
line does not have them as they are.

In memory are only ids and places, about 70 bytes for a query whose id is made of its content. The folder is emptied at
the beginning and removed at the end; what a killed process left there is not read.
"""

import mmap
import os
import shutil
import stat
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.growing_file import GrowingFile
from reasonmill.engine.curate.id_order import Strings
from reasonmill.engine.records import Query
from reasonmill.engine.store.aside import named
from reasonmill.engine.store.query_block import QueryBlock
from reasonmill.engine.store.readers import query_from_json
from reasonmill.kernels.texts import Excerpts

_COPIED = 2**22  # bytes at once


class Spool:
    """Queries numbered from 0 as they are added; read back after `seal`. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records_end = array("q", [0])
        self._text_places = array("q")  # in the records, or, negative, ~place in the texts
        self._text_sizes = array("q")
        self._is_wanted = False  # by an index that is told of the texts when all was written
        self._ids_end = array("q", [0])
        self._ids = bytearray()
        self._categories = bytearray()
        self._records: GrowingFile
        self._texts: GrowingFile
        self._maps: tuple[mmap.mmap | bytes, mmap.mmap | bytes] = b"", b""

    def __enter__(self) -> "Spool":
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._records = GrowingFile(self._folder / "records.jsonl")
        self._texts = GrowingFile(self._folder / "texts")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._records.close()
        self._texts.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._categories)

    def add(self, block: QueryBlock) -> None:
        """The next queries. Raises OSError that names the file where there is no room."""
        texts = block.texts
        places = np.where(texts.places >= 0, texts.places + self._records_end[-1], texts.places - self._texts.size)
        self._text_places.frombytes(places.tobytes())
        self._text_sizes.frombytes(texts.sizes.tobytes())
        for ends, spans in ((self._records_end, block.records), (self._ids_end, block.ids)):
            ends.frombytes((spans.offsets[1:] + ends[-1]).tobytes())
        self._ids += block.ids.bytes.data
        self._categories += block.categories.data
        with named(self._folder):
            self._records.write(block.records.bytes.data)
            self._texts.write(texts.more.data)

    def add_known(self, ids: Sequence[bytes], texts: Sequence[bytes]) -> None:
        """Earlier queries to compare with, numbered behind those that are added; they have no record. The index that
        knows them will ask for the texts of others.
        """
        self._is_wanted = True
        place = self._texts.size
        for id_, text in zip(ids, texts, strict=True):
            self._ids_end.append(self._ids_end[-1] + len(id_))
            self._text_places.append(~place)
            self._text_sizes.append(len(text))
            place += len(text)
        self._ids += b"".join(ids)
        with named(self._folder):
            self._texts.write(memoryview(b"".join(texts)))

    def seal(self) -> None:
        """Everything was added; from now on it can be read."""
        with named(self._folder):
            self._records.end()
            self._texts.end()
        self._maps = self._records.mapped(), self._texts.mapped()

    @property
    def ids(self) -> Strings:
        """Id of each query."""
        return Strings(content=bytes(self._ids), ends=np.array(self._ids_end, np.int64))

    @property
    def categories(self) -> NDArray[np.uint8]:
        """Place of each query's category in CATEGORIES, uint8 [N]."""
        return np.frombuffer(bytes(self._categories), np.uint8)

    @property
    def texts(self) -> Excerpts:
        """All texts, mapped."""
        records, texts = (np.frombuffer(mapped, np.uint8) for mapped in self._maps)
        return Excerpts(
            bytes=records,
            more=texts,
            places=np.frombuffer(self._text_places, np.int64),
            sizes=np.frombuffer(self._text_sizes, np.int64),
        )

    def id(self, number: int) -> str:
        """Id of a query."""
        return self._ids[self._ids_end[number] : self._ids_end[number + 1]].decode("utf-8", "surrogatepass")

    def content(self, number: int) -> bytes:
        """Text of a query, as bytes."""
        place, size = self._text_places[number], self._text_sizes[number]
        file, start = (self._records, place) if place >= 0 else (self._texts, ~place)
        return file.part(start, start + size)

    def same_text(self, number: int, other: int) -> bool:
        """Whether two queries, which were compared before, have the same text."""
        return self._mapped_text(number) == self._mapped_text(other)

    def _mapped_text(self, number: int) -> bytes:
        place, size = self._text_places[number], self._text_sizes[number]
        return self._maps[0][place : place + size] if place >= 0 else self._maps[1][~place : ~place + size]

    def text(self, number: int) -> str:
        """Text of a query."""
        return self.content(number).decode("utf-8", "surrogatepass")

    def record(self, number: int) -> bytes:
        """A query as a JSON line."""
        return self._records.part(self._records_end[number], self._records_end[number + 1])

    def kept_pieces(self, kept: NDArray[np.bool_]) -> Iterator[list[memoryview]]:
        """The JSON lines of the kept queries, bool [N], as stretches of pieces of the file, to be written before the
        next piece is read.
        """
        ends = np.frombuffer(self._records_end, np.int64)
        edges = ends[np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0, append=0))].reshape(-1, 2)
        buffer = bytearray(_COPIED)
        place = 0
        while place < len(edges):
            start = int(edges[place, 0])
            size = os.preadv(self._records.fileno(), [buffer], start)
            assert size > 0, "the records are shorter than they were written"
            stretches = []
            while place < len(edges) and edges[place, 0] < start + size:
                first, last = edges[place].tolist()
                stretches.append(memoryview(buffer)[first - start : min(last - start, size)])
                if last > start + size:
                    edges[place, 0] = start + size
                    break
                place += 1
            yield stretches

    def give_up(self, kept: NDArray[np.bool_], stream: BinaryIO) -> bool:
        """Leave the JSON lines of the kept queries, bool [N], in the file of the records and put it, synced, in place
        of the stream's, to which nothing was written; nothing can be read any more. False, and nothing is done, where
        it is still wanted or the stream is no file of the same disk.

        Lines move towards the begin of the file, whose pages are there: that costs a tenth of writing another file.
        """
        if self._is_wanted or not _replaceable(stream, self._records):
            return False
        self._maps = b"", b""
        with named(self._folder):
            self._records.rewind()
            for stretches in self.kept_pieces(kept):
                self._records.write(memoryview(b"".join(stretches)))
            self._records.end()
            os.fsync(self._records.fileno())
        self._records.path.replace(stream.name)
        return True

    def same_question(self, number: int, other: int) -> bool:
        """Whether two queries have the same messages."""
        if self.record(number) == self.record(other):  # copies by the million are not parsed
            return True
        return self.query(number).messages == self.query(other).messages

    def query(self, number: int) -> Query:
        """A query."""
        return query_from_json(orjson.loads(self.record(number)))


def _replaceable(stream: BinaryIO, by: GrowingFile) -> bool:
    """Whether the stream's file has the name by which it was opened, and lies where the other one can be renamed to."""
    try:
        there = Path(stream.name).stat()
    except OSError:
        return False
    opened = os.fstat(stream.fileno())
    is_same = (there.st_dev, there.st_ino) == (opened.st_dev, opened.st_ino)
    return is_same and stat.S_ISREG(opened.st_mode) and opened.st_dev == os.fstat(by.fileno()).st_dev
