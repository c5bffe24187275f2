"""Packed sets on disk: `PackedWriter` appends to one, any number of `PackedReader`s follow it while it grows."""

from reasonmill.packing.reader import PackedReader, PackedRow
from reasonmill.packing.writer import PackedWriter

__all__ = ["PackedReader", "PackedRow", "PackedWriter"]
