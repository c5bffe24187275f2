"""A file that is written from its begin to its end, on room that is reserved ahead: pages of a file that has its blocks
cost a fifth of the system's time of pages that get theirs one by one.
"""

import mmap
import os
from pathlib import Path

_FIRST_STEP, _LAST_STEP = 2**22, 2**26  # bytes reserved at once: each time twice as many
# ext4 on two busy cores, 300 MB: 0.045 s of CPU with room reserved, 0.065 to 0.6 s without


class GrowingFile:
    """Made anew. Raises OSError where there is no room."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._stream = path.open("w+b", buffering=0)
        self._reserved = 0
        self._step = _FIRST_STEP

    def fileno(self) -> int:
        """Its descriptor."""
        return self._stream.fileno()

    def write(self, content: memoryview) -> None:
        """Append."""
        end = self.size + len(content)
        while self._step and self._reserved < end:
            self._reserve()
        while len(content):
            written = self._stream.write(content)
            self.size, content = self.size + written, content[written:]

    def _reserve(self) -> None:
        try:
            os.posix_fallocate(self.fileno(), self._reserved, self._step)
        except OSError:  # little room, or a file system that reserves none: what is written will say so, or will fit
            os.ftruncate(self.fileno(), self.size)
            self._step = 0
            return
        self._reserved += self._step
        self._step = min(2 * self._step, _LAST_STEP)

    def end(self) -> None:
        """Everything was written: give back what was reserved beyond it."""
        self._stream.truncate(self.size)

    def mapped(self) -> mmap.mmap | bytes:
        """What was written, mapped; after `end`."""
        return mmap.mmap(self.fileno(), 0, access=mmap.ACCESS_READ) if self.size else b""

    def rewind(self) -> None:
        """Write from the begin again, over what is there; `end` takes away the rest."""
        self._stream.seek(0)
        self.size, self._step = 0, 0

    def part(self, start: int, end: int) -> bytes:
        """Read, not mapped: what is mapped counts as memory of the process once it was looked at."""
        return os.pread(self.fileno(), end - start, start)

    def close(self) -> None:
        """Nothing more is read."""
        self._stream.close()
