"""Rows of a packed set that may still be growing. Only what was published is read, each byte is checked against its
checksum before it is first used, and a file that is short or altered is named in a ValueError.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from reasonmill.packing.layout import CHUNKS, DATA_FILES, DOCUMENT, FIRST_LINK, FORMAT, PUBLISHED, ROW, next_link, seal

IGNORED = -100  # label of a position that no loss is taken of (torch's cross_entropy default)
_LAZY = ("tokens.u32", "targets.bits")  # checked when a row first needs them; the other files at once
_DTYPES: dict[str, Any] = {
    "tokens.u32": np.dtype("<u4"),
    "targets.bits": np.dtype("u1"),
    "documents.bin": DOCUMENT,
    "names.jsonl": np.dtype("u1"),
    "members.u32": np.dtype("<u4"),
    "rows.bin": ROW,
}


@dataclass(frozen=True, kw_only=True)
class PackedRow:
    """One row of D documents and T tokens, T at most the set's `max_length`; nothing is padded.

    `input_ids` int64[T]; `position_ids` int64[T], from 0 in each document; `labels` int64[T], already shifted: the next
    token of the same document where that is a target, else -100; `cu_seqlens` int32[D + 1]; `documents` their numbers.
    """

    input_ids: NDArray[np.int64]
    position_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    cu_seqlens: NDArray[np.int32]
    documents: tuple[int, ...]


class PackedReader:
    """A view of `folder` as of the last `refresh()`. A folder in which nothing was published yet has no rows."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._visible: dict[str, Any] = {}
        self._published: bytes = b""
        self._link = FIRST_LINK
        self._chunks_read = 0
        self._sizes = dict.fromkeys(DATA_FILES, 0)
        self._maps: dict[str, NDArray[Any]] = {name: np.zeros(0, _DTYPES[name]) for name in DATA_FILES}
        self._chunk_ends: list[int] = []  # documents after each chunk
        self._unchecked: dict[int, list[tuple[str, int, int, str]]] = {}  # chunk -> file, from, to, digest
        self.refresh()

    @property
    def num_rows(self) -> int:
        """Rows that can be read."""
        return int(self._visible.get("num_rows", 0))

    @property
    def num_documents(self) -> int:
        """Documents published, those that still wait for a row among them."""
        return int(self._visible.get("num_documents", 0))

    @property
    def num_tokens(self) -> int:
        """Tokens of the documents published."""
        return int(self._visible.get("num_tokens", 0))

    @property
    def num_targets(self) -> int:
        """Tokens of the documents published that the loss is taken of."""
        return int(self._visible.get("num_targets", 0))

    @property
    def max_length(self) -> int:
        """Tokens that a row can hold; 0 before anything was published."""
        return int(self._visible.get("max_length", 0))

    @property
    def finished(self) -> bool:
        """Whether no more rows will come."""
        return bool(self._visible.get("finished", False))

    @property
    def fill(self) -> float:
        """Share of the slots of all rows that hold a token; 1.0 before the first row."""
        slots = self.num_rows * self.max_length
        return int(self._visible["num_row_tokens"]) / slots if slots else 1.0

    def refresh(self) -> bool:
        """See what was published meanwhile; whether there was anything. Raises ValueError naming a damaged file."""
        path = self.folder / PUBLISHED
        try:
            published = path.read_bytes()
        except FileNotFoundError:
            if self._published:
                raise ValueError(f"packed file {str(path)!r} has gone") from None
            return False
        if published == self._published:
            return False
        visible = _parse(published, path)
        if visible.get("format") != FORMAT:
            raise ValueError(f"packed file {str(path)!r} has format {visible.get('format')!r}, expected {FORMAT}")
        if visible.pop("seal", None) != seal(visible):
            raise ValueError(f"packed file {str(path)!r} is damaged: wrong checksum")
        self._read_chunks(visible)
        self._published, self._visible = published, visible
        return True

    def row(self, index: int) -> PackedRow:
        """Row `index`, 0 to `num_rows` - 1, read now. Raises ValueError naming a damaged file."""
        if not 0 <= index < self.num_rows:
            raise IndexError(f"row {index} of {self.num_rows}")
        documents = self._members(index)
        self._check_chunks_of(documents)
        entries = self._maps["documents.bin"][documents]
        ends = np.cumsum(entries["length"], dtype=np.int64)
        total = int(ends[-1])
        input_ids = np.empty(total, np.int64)
        position_ids = np.empty(total, np.int64)
        labels = np.full(total, IGNORED, np.int64)
        tokens, bits = self._maps["tokens.u32"], self._maps["targets.bits"]
        for end, (first_token, first_byte, length, _) in zip(ends.tolist(), entries.tolist(), strict=True):
            start = end - length
            ids = tokens[first_token : first_token + length]
            target = np.unpackbits(bits[first_byte : first_byte + (length + 7) // 8], count=length, bitorder="little")
            input_ids[start:end] = ids
            position_ids[start:end] = np.arange(length)
            labels[start : end - 1] = np.where(target[1:], ids[1:].astype(np.int64), IGNORED)
        return PackedRow(
            input_ids=input_ids,
            position_ids=position_ids,
            labels=labels,
            cu_seqlens=np.concatenate(([0], ends)).astype(np.int32),
            documents=tuple(int(number) for number in documents),
        )

    def row_targets(self, index: int) -> int:
        """Number of tokens of a row that the loss is taken of; reads no tokens."""
        return int(self._maps["rows.bin"][index]["num_targets"])

    def names_of(self, index: int) -> list[str]:
        """Names of the documents of a row, in their order there."""
        names = bytes(self._maps["names.jsonl"]).splitlines()
        return [orjson.loads(names[number]) for number in self._members(index)]

    def check_all(self) -> None:
        """Check every published byte now. Raises ValueError naming the damaged file."""
        for chunk in list(self._unchecked):
            self._check_chunk(chunk)

    def _members(self, index: int) -> NDArray[np.uint32]:
        rows = self._maps["rows.bin"]
        start = int(rows[index - 1]["members_end"]) if index else 0
        members: NDArray[np.uint32] = self._maps["members.u32"][start : int(rows[index]["members_end"])]
        return members

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
            body = _parse(line, path)
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
            path = self.folder / name
            found = path.stat().st_size if path.exists() else -1
            if found < size:
                state = "is missing" if found < 0 else f"has {found} bytes"
                raise ValueError(f"packed file {str(path)!r} {state}, {CHUNKS} names {size}")
            dtype = _DTYPES[name]
            self._maps[name] = np.memmap(path, dtype, "r", shape=(size // dtype.itemsize,)).view(np.ndarray)

    def _check_chunks_of(self, documents: NDArray[np.uint32]) -> None:
        if self._unchecked:
            for chunk in np.unique(np.searchsorted(self._chunk_ends, documents, side="right")).tolist():
                self._check_chunk(chunk)

    def _check_chunk(self, chunk: int) -> None:
        for part in self._unchecked.get(chunk, ()):
            self._check_part(*part)
        self._unchecked.pop(chunk, None)

    def _check_part(self, name: str, start: int, end: int, digest: str) -> None:
        path = self.folder / name
        with _open(path) as file:
            file.seek(start)
            found = xxhash.xxh3_64_hexdigest(file.read(end - start))
        if found != digest:
            raise ValueError(f"packed file {str(path)!r} is damaged between bytes {start} and {end}: wrong checksum")


def _open(path: Path) -> Any:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise ValueError(f"packed file {str(path)!r} is missing") from None


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"packed file {str(path)!r} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"packed file {str(path)!r} is damaged: {value!r} is no record")
    return value
