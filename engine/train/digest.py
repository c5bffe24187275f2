"""What a file must hold, known from what was written to it: the digest is worked out beside the writing, so that no
byte is read again. xxh3_128 goes faster than any disk; it finds faults, not forgers.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import xxhash

_PIECE = 2**22  # bytes hashed at once


@dataclass(frozen=True, kw_only=True)
class Content:
    """Size in bytes, and xxh3_128 in hexadecimal."""

    size: int
    digest: str


class HashedFile:
    """A new file to write into, in order. `content` and durability come with its end."""

    def __init__(self, path: str | Path) -> None:
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - closed at the end of the block
        self._hash = xxhash.xxh3_128()
        self._size = 0

    @property
    def content(self) -> Content:
        """What was written so far."""
        return Content(size=self._size, digest=self._hash.hexdigest())

    def write(self, piece: Any) -> int:
        """Write all of a piece of bytes; returns how many they are. Raises OSError where the disk takes only a part."""
        rest = memoryview(piece).cast("B")
        size = len(rest)
        self._hash.update(rest)
        while len(rest):
            rest = rest[self._file.write(rest) :]
        self._size += size
        return size

    def flush(self) -> None:
        """Nothing is held back."""

    def __enter__(self) -> "HashedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


def content_of(path: Path) -> Content:
    """What a file holds, read in pieces."""
    found, size = xxhash.xxh3_128(), 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
            size += len(piece)
    return Content(size=size, digest=found.hexdigest())
