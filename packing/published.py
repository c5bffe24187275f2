"""The published part of a packed folder that may still be growing, as memory maps. Each byte is checked against its
checksum before it is first used, and a file that is short or altered is named in a ValueError.
"""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash
from numpy.typing import NDArray

from reasonmill.kernels.row_store import RowStore, row_store
from reasonmill.packing.layout import (
    CHUNKS,
    DATA_FILES,
    DOCUMENT,
    FIRST_LINK,
    PUBLISHED,
    ROW,
    next_link,
    parse_published,
    parse_record,
)

_STORED = ("tokens.u32", "targets.bits", "documents.bin", "members.u32", "rows.bin")  # what rows are copied out of
_LAZY = ("tokens.u32", "targets.bits")  # checked when a document first needs them; the other files at once
_DTYPES: dict[str, Any] = {
    "tokens.u32": np.dtype("<u4"),
    "targets.bits": np.dtype("u1"),
    "documents.bin": DOCUMENT,
    "names.jsonl": np.dtype("u1"),
    "members.u32": np.dtype("<u4"),
    "rows.bin": ROW,
}
_PIECE = 2**24  # bytes hashed at once


class PublishedFiles:
    """Totals and maps of `folder` as of the last `refresh()`; `visible` is empty before anything was published."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.visible: dict[str, Any] = {}
        self.maps: dict[str, NDArray[Any]] = {name: np.zeros(0, _DTYPES[name]) for name in DATA_FILES}
        self._published: bytes | None = None
        self._link = FIRST_LINK
        self._chunks_read = 0
        self._sizes = dict.fromkeys(DATA_FILES, 0)
        self._chunk_ends: list[int] = []  # documents after each chunk
        self.row_store = self._row_store(self._sizes)
        self._stored: list[tuple[Callable[[], int], int, str]] = []  # size that is, size that must be, name
        self._mapped: dict[str, mmap.mmap] = {}
        self._unchecked: dict[int, list[tuple[str, int, int, str]]] = {}  # chunk -> file, from, to, digest

    @property
    def all_checked(self) -> bool:
        """Whether every checksum was compared."""
        return not self._unchecked

    def refresh(self) -> bool:
        """See what was published meanwhile; whether there was anything. Raises ValueError naming a damaged file."""
        path = self.folder / PUBLISHED
        try:
            published = path.read_bytes()
        except FileNotFoundError:
            if self._published is not None:
                raise ValueError(f"packed file {str(path)!r} has gone") from None
            return False
        if published == self._published:
            return False
        visible = parse_published(published, path)
        self._read_chunks(visible)
        self._published, self.visible = published, visible
        return True

    def check_documents(self, documents: NDArray[np.uint32]) -> None:
        """Check the documents' tokens and targets against their checksums, when they are first used. Raises ValueError
        naming a damaged file.
        """
        if self._unchecked:
            for chunk in np.unique(np.searchsorted(self._chunk_ends, documents, side="right")).tolist():
                self._check_chunk(chunk)

    def map_of(self, name: str) -> NDArray[Any]:
        """The map of a file, which is as long as it was: to read beyond its end would kill the process. Raises
        ValueError naming one that was cut since.
        """
        if name in self._mapped:
            self._check_size(name, self._sizes[name], self._mapped[name].size())
        return self.maps[name]

    def check_stored(self) -> None:
        """As `map_of` for all files that rows are copied from; then `maps` and `row_store` may be read."""
        for found, size, name in self._stored:
            if found() < size:
                self._check_size(name, size, found())

    def check_all(self) -> None:
        """Check every published byte now. Raises ValueError naming the damaged file."""
        for chunk in list(self._unchecked):
            self._check_chunk(chunk)

    def _read_chunks(self, visible: dict[str, Any]) -> None:
        path = self.folder / CHUNKS
        with _open(path) as file:
            file.seek(self._chunks_read)
            added = file.read(visible["chunks_size"] - self._chunks_read)
        if self._chunks_read + len(added) < visible["chunks_size"]:
            raise ValueError(
                f"packed file {str(path)!r} has {self._chunks_read + len(added)} bytes, "
                f"{PUBLISHED} names {visible['chunks_size']}"
            )
        link, sizes = self._link, dict(self._sizes)
        found: list[tuple[int, list[tuple[str, int, int, str]]]] = []
        for line in added.splitlines():
            body = parse_record(line, path)
            claimed = body.pop("link", None)
            link = next_link(link, body)
            if claimed != link:
                raise ValueError(f"packed file {str(path)!r} is damaged: a chunk does not follow from the one before")
            parts = [(name, sizes[name], body["sizes"][name], digest) for name, digest in body["xxh3"].items()]
            found.append((body["totals"]["num_documents"], parts))
            sizes.update(body["sizes"])
        if link != visible["link"]:
            raise ValueError(f"packed file {str(path)!r} does not end as {PUBLISHED} says")
        self._map_files(sizes)
        for end, parts in found:
            for part in parts:
                if part[0] not in _LAZY:
                    self._check_part(*part)
            self._unchecked[len(self._chunk_ends)] = [part for part in parts if part[0] in _LAZY]
            self._chunk_ends.append(end)
        self._link, self._chunks_read, self._sizes = link, visible["chunks_size"], sizes

    def _map_files(self, sizes: dict[str, int]) -> None:
        for name, size in sizes.items():
            if size == self._sizes[name]:
                continue
            with _open(self.folder / name) as file:
                self._check_size(name, size, os.fstat(file.fileno()).st_size)
                mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
            self.maps[name] = np.frombuffer(mapped, _DTYPES[name])
            self._mapped[name] = mapped
        self._stored = [(self._mapped[name].size, sizes[name], name) for name in _STORED if name in self._mapped]
        self.row_store = self._row_store(sizes)

    def _row_store(self, sizes: dict[str, int]) -> RowStore:
        documents, rows = self.maps["documents.bin"].view("<u8"), self.maps["rows.bin"].view("<u8")
        return row_store(
            self.maps["tokens.u32"],
            self.maps["targets.bits"],
            documents.reshape(-1, 3),
            self.maps["members.u32"],
            rows.reshape(-1, 2),
            [(str(self.folder / name), sizes[name]) for name in _STORED if sizes[name]],
        )

    def _check_size(self, name: str, size: int, found: int) -> None:
        if found < size:
            raise ValueError(f"packed file {str(self.folder / name)!r} has {found} bytes, {CHUNKS} names {size}")

    def _check_chunk(self, chunk: int) -> None:
        for part in self._unchecked.get(chunk, ()):
            self._check_part(*part)
        self._unchecked.pop(chunk, None)

    def _check_part(self, name: str, start: int, end: int, digest: str) -> None:
        path = self.folder / name
        found = xxhash.xxh3_64()
        with _open(path) as file:
            file.seek(start)
            for place in range(start, end, _PIECE):
                found.update(file.read(min(_PIECE, end - place)))
        if found.hexdigest() != digest:
            raise ValueError(f"packed file {str(path)!r} is damaged between bytes {start} and {end}: wrong checksum")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise ValueError(f"packed file {str(path)!r} is missing") from None
