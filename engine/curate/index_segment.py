"""One segment of the index of earlier queries: two files that are written once and never changed.

`NAME.prints` is a row of arrays, each on a multiple of 64 bytes; `NAME.texts` holds, for each query in the order of
their claims, the length of its id (4 bytes, little endian), the id and the text.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.store.aside import whole_file
from reasonmill.kernels.prints import Prints

_ALIGNMENT = 64
_PART = 2**24  # bytes read at once for a checksum


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentEntry:
    """What the manifest says of a segment: its files' NAME, how many queries and long ones, size of the texts, size and
    xxh3 of the prints, and the digest of the inputs that it was made of.
    """

    name: str
    num_texts: int
    num_long: int
    texts_size: int
    prints: str
    inputs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment that is open: `ends` int64 [N + 1] are the places of its entries in `texts`; `loose` uint8 [N] says
    whose numbers may differ.
    """

    path: Path
    prints: Prints
    ends: NDArray[np.int64]
    loose: NDArray[np.uint8]
    texts: mmap.mmap | bytes

    def entry(self, number: int) -> tuple[bytes, bytes]:
        """Id and text of a query. Raises ValueError where there is none."""
        start, end = int(self.ends[number]), int(self.ends[number + 1])
        content = self.texts[start:end]
        length = int.from_bytes(content[:4], "little")
        if len(content) != end - start or length > len(content) - 4:
            raise ValueError(f"index: {str(self.path)!r} is damaged at byte {start}")
        return content[4 : 4 + length], content[4 + length :]


def write_segment(
    folder: Path,
    name: str,
    inputs: str,
    spool: Spool,
    prints: Prints,
    loose: NDArray[np.bool_],
    chosen: NDArray[np.int64],
) -> SegmentEntry:
    """Write the chosen queries of the spool, in this order. Raises OSError that names the file."""
    ends = np.zeros(len(chosen) + 1, np.int64)
    prints_path, texts_path = _paths(folder, name)
    with whole_file(texts_path) as stream:
        for place, number in enumerate(chosen.tolist()):
            id_ = spool.id(number).encode("utf-8", "surrogatepass")
            content = b"".join((len(id_).to_bytes(4, "little"), id_, spool.content(number)))
            stream.write(content)
            ends[place + 1] = ends[place] + len(content)
    place_of = np.full(len(prints), -1, np.int64)
    place_of[chosen] = np.arange(len(chosen))
    long_places = place_of[prints.long_texts]
    long_order = np.argsort(long_places, kind="stable")
    long_order = long_order[long_places[long_order] >= 0]
    digest, size = xxhash.xxh3_128(), 0
    columns: Iterator[NDArray[np.generic]] = iter(
        (
            ends,
            prints.keys[chosen],
            prints.quantities[chosen],
            prints.num_words[chosen],
            loose[chosen].astype(np.uint8),
        )
    )
    with whole_file(prints_path) as stream:
        for parts in (*([column] for column in columns), *_band_parts(prints, chosen, long_places, long_order)):
            for part in parts:
                content = part.tobytes()
                digest.update(content)
                stream.write(content)
                size += len(content)
            padding = bytes(-size % _ALIGNMENT)
            digest.update(padding)
            stream.write(padding)
            size += len(padding)
    return SegmentEntry(
        name=name,
        num_texts=len(chosen),
        num_long=len(long_order),
        texts_size=int(ends[-1]),
        prints=f"{size}:{digest.hexdigest()}",
        inputs=inputs,
    )


def remove_segment(folder: Path, name: str) -> None:
    """Remove the files of a segment that no manifest lists."""
    for path in _paths(folder, name):
        path.unlink(missing_ok=True)


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.prints", folder / f"{name}.texts"


def _band_parts(
    prints: Prints, chosen: NDArray[np.int64], long_places: NDArray[np.int64], long_order: NDArray[np.int64]
) -> Iterator[Iterator[NDArray[np.generic]]]:
    """Band by band, so that no second copy of all keys is made."""
    yield (row[chosen] for row in prints.band_keys)
    yield iter((long_places[long_order].astype(np.uint32),))
    yield (row[long_order] for row in prints.long_keys)


def open_segment(folder: Path, entry: SegmentEntry, bands: int) -> Segment:
    """Map a segment. Raises ValueError that names a file which is missing, cut off or altered."""
    content = _mapped(folder / f"{entry.name}.prints")
    texts = _mapped(folder / f"{entry.name}.texts")
    digest = xxhash.xxh3_128()
    for at in range(0, len(content), _PART):
        digest.update(content[at : at + _PART])
    if (found := f"{len(content)}:{digest.hexdigest()}") != entry.prints:
        raise ValueError(
            f"index: {folder / entry.name!s}.prints is not what was written (size and digest were {entry.prints},"
            f" are {found}); put the file back, or build the index anew"
        )
    if len(texts) != entry.texts_size:
        raise ValueError(
            f"index: {folder / entry.name!s}.texts has {len(texts)} bytes where {entry.texts_size} were written;"
            " put the file back, or build the index anew"
        )
    count, place = entry.num_texts, 0

    def array(dtype: type[np.generic], *shape: int) -> NDArray[np.generic]:
        nonlocal place
        size = int(np.prod(shape))
        found = np.frombuffer(content, dtype, size, place).reshape(shape)
        place += -(-size * found.itemsize // _ALIGNMENT) * _ALIGNMENT
        return found

    ends = array(np.int64, count + 1)
    keys, quantities, num_words = array(np.uint64, count, 2), array(np.uint64, count), array(np.uint32, count)
    loose, band_keys = array(np.uint8, count), array(np.uint64, bands, count)
    long_texts, long_keys = array(np.uint32, entry.num_long), array(np.uint64, bands, entry.num_long)
    prints = Prints(
        keys=keys,  # type: ignore[arg-type]
        quantities=quantities,  # type: ignore[arg-type]
        num_words=num_words,  # type: ignore[arg-type]
        band_keys=band_keys,  # type: ignore[arg-type]
        long_texts=long_texts,  # type: ignore[arg-type]
        long_keys=long_keys,  # type: ignore[arg-type]
    )
    path = folder / f"{entry.name}.texts"
    return Segment(path=path, prints=prints, ends=ends, loose=loose, texts=texts)  # type: ignore[arg-type]


def _mapped(path: Path) -> mmap.mmap | bytes:
    """Raises ValueError for a file that is not there."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if stream.tell() else b""
    except FileNotFoundError:
        raise ValueError(f"index: {str(path)!r} is missing; put it back, or build the index anew") from None
