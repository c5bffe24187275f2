"""Lines of a stream in blocks, so that they can be read many at once and on several threads. Where a block ends depends
on the lines alone. Memory is bounded, whatever the lengths of the lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.store.rows import MAX_LINE_BYTES
from reasonmill.kernels.query_lines import whole_lines

_READ = 2**22  # bytes at once
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Stream(Protocol):
    """A file that is open for reading bytes."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read up to as many bytes as the buffer has; 0 at the end."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LineBlock:
    """Whole lines, uint8 [B], the first of which has the number `first_line`, counted from 1; or None for one that is
    longer than MAX_LINE_BYTES. Only the last line of a file may lack its newline. A byte order mark is left out.
    """

    first_line: int
    content: NDArray[np.uint8] | None


def line_blocks(stream: Stream, *, max_lines: int, max_bytes: int) -> Iterator[LineBlock]:
    """All lines, in blocks of up to so many lines and bytes; a longer line is a block of its own."""
    line, rest = 1, np.empty(0, np.uint8)
    while len(content := _more(stream, rest)) > len(rest):
        at = 0
        while len(content) - at > 0:
            size, num_lines = whole_lines(content[at:], max_lines, max_bytes)
            if num_lines == 0 or (num_lines < max_lines and len(content) - at <= max_bytes):
                break  # what is read next may belong to the block
            yield _block(line, content[at : at + size])
            at, line = at + size, line + num_lines
        rest = content[at:]
        if len(rest) > MAX_LINE_BYTES and not (rest == ord("\n")).any():
            yield LineBlock(first_line=line, content=None)
            line, rest = line + 1, _behind_line(stream)
    while len(rest):
        size, num_lines = whole_lines(rest, max_lines, max_bytes)
        yield _block(line, rest[: size or len(rest)])
        line, rest = line + num_lines, rest[size or len(rest) :]


def _more(stream: Stream, rest: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rest and what is read behind it, which is nothing at the end of the stream."""
    content = np.empty(len(rest) + _READ, np.uint8)
    content[: len(rest)] = rest
    size = stream.readinto(content.data[len(rest) :])
    return content[: len(rest) + (size or 0)]


def _behind_line(stream: Stream) -> NDArray[np.uint8]:
    """What was read behind the end of the line in which the stream stands."""
    while len(content := _more(stream, np.empty(0, np.uint8))):
        size, num_lines = whole_lines(content, 1, 1)
        if num_lines:
            return content[size:]
    return content


def _block(line: int, content: NDArray[np.uint8]) -> LineBlock:
    if len(content) > MAX_LINE_BYTES:
        return LineBlock(first_line=line, content=None)
    if line == 1 and content[:3].tobytes() == _BYTE_ORDER_MARK:
        content = content[3:]
    return LineBlock(first_line=line, content=content)
