"""Texts as the kernels take them: a sequence of str, or UTF-8 bytes, one text behind the other as Arrow has them
(`Spans`), or anywhere in mapped files (`Excerpts`).
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_TEXTS = 2**31 - 1  # the native code numbers texts in 31 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """N texts in one array: text i is bytes[offsets[i] : offsets[i + 1]]. Bytes that are no UTF-8 are separators.

    `bytes` uint8 [B], `offsets` int64 [N + 1], ascending.
    """

    bytes: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.bytes.dtype != np.uint8 or self.bytes.ndim != 1 or not self.bytes.flags.c_contiguous:
            raise ValueError(f"bytes are {self.bytes.dtype} {self.bytes.shape}, expected contiguous uint8 [B]")
        if self.offsets.dtype != np.int64 or self.offsets.ndim != 1 or not len(self.offsets):
            raise ValueError(f"offsets are {self.offsets.dtype} {self.offsets.shape}, expected int64 [N + 1]")
        if self.offsets[0] < 0 or (np.diff(self.offsets) < 0).any() or self.offsets[-1] > len(self.bytes):
            raise ValueError(f"offsets do not ascend within the {len(self.bytes)} bytes")

    @classmethod
    def of_arrow(cls, array: Any) -> "Spans":
        """Views a pyarrow string or large_string array without a copy of its text, one in chunks with one. Raises
        ValueError for nulls and other types.
        """
        import pyarrow

        if isinstance(array, pyarrow.ChunkedArray):
            if pyarrow.types.is_string(array.type):
                array = array.cast(pyarrow.large_string())  # 32-bit offsets may not reach over all chunks
            array = pyarrow.concat_arrays(array.chunks) if array.num_chunks else pyarrow.array([], array.type)
        if not (pyarrow.types.is_string(array.type) or pyarrow.types.is_large_string(array.type)):
            raise ValueError(f"the array holds {array.type}, expected string or large_string")
        if array.null_count:
            raise ValueError(f"{array.null_count} of {len(array)} texts are null")
        width = np.int32 if pyarrow.types.is_string(array.type) else np.int64
        _, offsets, content = array.buffers()
        if offsets is None or len(array) == 0:
            return cls(bytes=np.empty(0, np.uint8), offsets=np.zeros(1, np.int64))
        places = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1]
        held = np.empty(0, np.uint8) if content is None else np.frombuffer(content, np.uint8)
        return cls(bytes=held, offsets=places.astype(np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, index: int) -> str:
        """One text; bytes that are no UTF-8 are replaced."""
        start, end = int(self.offsets[index]), int(self.offsets[index + 1])
        return self.bytes[start:end].tobytes().decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpts:
    """N texts that lie anywhere in two arrays: text i is `sizes[i]` bytes from `places[i]` of `bytes` on or, where that
    is negative, from `~places[i]` of `more` on. Bytes that are no UTF-8 are separators.

    `bytes` uint8 [B], `more` uint8 [C], `places` and `sizes` int64 [N].
    """

    bytes: NDArray[np.uint8]
    more: NDArray[np.uint8]
    places: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def content(self, index: int) -> bytes:
        """Bytes of one text."""
        place, size = int(self.places[index]), int(self.sizes[index])
        found = self.bytes[place : place + size] if place >= 0 else self.more[~place : ~place + size]
        return found.tobytes()

    def text(self, index: int) -> str:
        """One text; bytes that are no UTF-8 are replaced."""
        return self.content(index).decode("utf-8", "replace")


Texts = Sequence[str] | Spans | Excerpts


def held(texts: Any) -> Texts:
    """What a caller gave, as Texts: pyarrow string arrays are viewed, other iterables in an order are listed.

    Raises TypeError for a single text, whose characters are no texts, for what has no order, and for no texts at all;
    ValueError for more texts than the kernels number, and for arrays that `Spans.of_arrow` refuses.
    """
    if isinstance(texts, str | bytes | bytearray | Set | Mapping) or not (
        isinstance(texts, Spans | Excerpts) or hasattr(texts, "__iter__")
    ):
        raise TypeError(f"texts are a {type(texts).__name__}: expected a sequence of str, or an Arrow array of strings")
    if type(texts).__module__.partition(".")[0] == "pyarrow":
        texts = Spans.of_arrow(texts)
    if not hasattr(texts, "__len__"):
        texts = list(texts)
    if len(texts) > _MAX_TEXTS:
        raise ValueError(f"{len(texts)} texts at once are too many: the limit is {_MAX_TEXTS}")
    found: Texts = texts
    return found


def check_threads(num_threads: int) -> None:
    """Raise ValueError for a number of threads that is none; 0 is every core."""
    if isinstance(num_threads, bool) or not isinstance(num_threads, Integral) or num_threads < 0:
        raise ValueError(f"num_threads: {num_threads!r} is no number of threads; 0 is every core")


def as_strings(texts: Texts) -> list[str]:
    """The texts as str, for the references. Raises TypeError for one that is none."""
    if isinstance(texts, Spans | Excerpts):
        return [texts.text(index) for index in range(len(texts))]
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {index} is no str but {type(text).__name__}")
    return list(texts)
