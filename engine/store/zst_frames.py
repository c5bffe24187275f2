"""Whether a zstd file is whole. The decompressing stream ends without a word where a file was cut off, so the frames
are walked over first: block headers alone are read, nothing is decompressed (RFC 8878, section 3.1).
"""

import os
from pathlib import Path

import zstandard

_MAGIC_SKIPPABLE = 0x184D2A50  # to 0x184D2A5F
_LONGEST_HEADER = 18
_RLE_BLOCK = 1


def check_whole(path: Path) -> None:
    """Raise ValueError that names `path` unless it is a sequence of whole frames."""
    with path.open("rb") as stream:
        descriptor, size, place = stream.fileno(), path.stat().st_size, 0
        while place < size:
            try:
                place = _after_frame(descriptor, place)
            except zstandard.ZstdError:
                raise ValueError(f"{str(path)!r} is not zstd at byte {place} of {size}") from None
            if place > size:
                raise ValueError(f"{str(path)!r} is cut off: its last frame does not end within its {size} bytes")


def _after_frame(descriptor: int, place: int) -> int:
    """Where the frame at `place` ends, beyond the end of a file that was cut off. Raises ZstdError for no frame."""
    head = os.pread(descriptor, _LONGEST_HEADER, place)
    if len(head) < 8:  # less than any frame has
        return place + _LONGEST_HEADER
    magic = int.from_bytes(head[:4], "little")
    if magic & ~0xF == _MAGIC_SKIPPABLE:
        return place + 8 + int.from_bytes(head[4:8], "little")
    place += zstandard.frame_header_size(head)
    checksum = 4 if zstandard.get_frame_parameters(head).has_checksum else 0
    while True:
        block = os.pread(descriptor, 3, place)
        if len(block) < 3:
            return place + 3
        header = int.from_bytes(block, "little")
        last, kind, length = header & 1, header >> 1 & 3, header >> 3
        place += 3 + (1 if kind == _RLE_BLOCK else length)
        if last:
            return place + checksum
