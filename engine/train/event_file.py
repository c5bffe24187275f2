"""Scalars in TensorBoard's own file format, written without TensorBoard: records of length, masked CRC-32C and protobuf
(tensorflow/core/lib/io/record_writer, tensorflow/core/util/event.proto).

Each scalar has one value a step, also after a resume: a file is begun anew for every start, and its first record says
to TensorBoard which steps of earlier files no longer count.
"""

import struct
import time
from collections.abc import Mapping
from pathlib import Path

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_START = 1  # of SessionLog.status: steps from this event's on are purged from earlier files


class EventFile:
    """A file in `folder` for the steps after `last_step`."""

    def __init__(self, folder: str | Path, *, last_step: int) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        self._file = (folder / f"events.out.tfevents.{now:020.6f}.steps-after-{last_step}").open("wb", buffering=0)
        self._write(_double(1, now) + _bytes(3, b"brain.Event:2"))
        self._write(_double(1, now) + _varint(2, last_step + 1) + _bytes(7, _varint(1, _START)))

    def write(self, step: int, scalars: Mapping[str, float], *, time_unix_s: float) -> None:
        """One value of each scalar at `step`."""
        values = b"".join(_bytes(1, _bytes(1, name.encode()) + _float(2, value)) for name, value in scalars.items())
        self._write(_double(1, time_unix_s) + _varint(2, step) + _bytes(5, values))

    def close(self) -> None:
        """No more steps come."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + _checksum(length) + event + _checksum(event))


def crc32c(content: bytes) -> int:
    """Castagnoli's checksum (RFC 3720, appendix B.4)."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _checksum(content: bytes) -> bytes:
    crc = crc32c(content)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _table()


def _number(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _double(field: int, value: float) -> bytes:
    return _number(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _number(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(value)) + value
