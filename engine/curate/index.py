"""The memory of earlier curations: a folder that knows every query that was kept, so that new ones are compared with
all of them and the old are not read again. What was kept earlier stays kept; of new copies the smallest id wins. The
result is that of one pass over everything, claims going by month first and by id then.

A segment holds the queries that one run added (`index_segment.py`): arrays of 237 bytes for each query, and 200 more
for a long one, that are mapped and read through once; and ids and texts, of which those are looked at that share a band
key with a new text, for every removal is decided on the texts. `manifest.json` lists the segments and says what made
them. It is renamed into place last, so that a run that dies adds nothing, and the same run made again finds what it
found: a month is known by the contents of its files, and made again with other settings or evaluation sets it is
compared with the months before it and takes its own place. Files that are cut off or altered are refused by name, and
so is a manifest of other algorithms.
"""

import fcntl
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.index_segment import Segment, SegmentEntry, open_segment, remove_segment, write_segment
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.store.aside import write_whole
from reasonmill.kernels import characters, corpus, minhash
from reasonmill.kernels.corpus import Banding
from reasonmill.kernels.prints import Prints
from reasonmill.kernels.texts import Spans

_MANIFEST = "manifest.json"
_LOCK = "lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Earlier queries that may be like new ones, in the order of their claims: R of them."""

    prints: Prints
    ids: list[bytes]
    texts: list[bytes]
    loose: NDArray[np.bool_]


def made_with(banding: Banding) -> dict[str, Any]:
    """What must be equal for two sets of prints to be compared."""
    return {
        "format": 1,
        "algorithm": minhash.BAND_ALGORITHM,
        "seed": banding.seed,
        "ngram": banding.ngram,
        "bands": banding.bands,
        "rows": banding.rows,
        "tokenizer": minhash.TOKENIZER,
        "normaliser": characters.table_hash(),
    }


class Index:
    """The folder, held by one process at a time. Use as a context manager."""

    def __init__(self, folder: Path, banding: Banding | None = None, *, num_threads: int = 0) -> None:
        self._folder = folder
        self._banding = banding or Banding()
        self._num_threads = num_threads
        self._stack = ExitStack()
        self._entries: list[SegmentEntry] = []

    def __enter__(self) -> "Index":
        """Raises ValueError for a folder that is in use, of another version, or damaged."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"index {str(self._folder)!r} is no folder") from None
        lock = self._stack.enter_context((self._folder / _LOCK).open("ab"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._entries = self._read_manifest()
        except BlockingIOError:
            self._stack.close()
            raise ValueError(f"index {str(self._folder)!r} is in use by another process") from None
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def num_queries(self) -> int:
        """Queries of all segments."""
        return sum(entry.num_texts for entry in self._entries)

    def _read_manifest(self) -> list[SegmentEntry]:
        path = self._folder / _MANIFEST
        if not path.exists():
            if any(self._folder.glob("*.prints")):
                raise ValueError(f"index: {str(path)!r} is missing; put it back, or build the index anew")
            self._write_manifest([])  # now, so that a lost one can be told from one that never was
            return []
        try:
            manifest = orjson.loads(path.read_bytes())
            found, entries = manifest["made_with"], [SegmentEntry(**entry) for entry in manifest["segments"]]
            if not isinstance(found, dict):
                raise TypeError(f"made_with is {found!r}")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"index: {str(path)!r} is damaged: {error}") from None
        for name, wanted in made_with(self._banding).items():
            if found.get(name) != wanted:
                raise ValueError(
                    f"index {str(self._folder)!r} was made with {name} {found.get(name)!r}, this version has"
                    f" {wanted!r}: build it anew from the queries that were kept"
                )
        return entries

    def known(self, parts: Sequence[Prints], inputs: str) -> Known:
        """Of the segments before that of the same inputs, the queries that share a key with one of these.

        Raises ValueError that names a damaged file.
        """
        earlier = self._before(inputs)
        segments = [open_segment(self._folder, entry, self._banding.bands) for entry in earlier]
        marks = [np.zeros(len(segment.prints), np.bool_) for segment in segments]
        for of in (_first_keys, *(_band_keys(band) for band in range(self._banding.bands))):
            keys = np.concatenate([np.empty(0, np.uint64), *(of(part) for part in parts)])
            for segment, marked in zip(segments, marks, strict=True):
                corpus.mark_known(of(segment.prints), keys, marked, num_threads=self._num_threads)
        for band in range(self._banding.bands):
            keys = np.concatenate([np.empty(0, np.uint64), *(part.long_keys[band] for part in parts)])
            for segment, marked in zip(segments, marks, strict=True):
                marked[segment.prints.long_texts[np.isin(segment.prints.long_keys[band], keys)]] = True
        return self._looked_up(segments, [np.flatnonzero(marked) for marked in marks])

    def _before(self, inputs: str) -> list[SegmentEntry]:
        names = [entry.inputs for entry in self._entries]
        return self._entries[: names.index(inputs)] if inputs in names else self._entries

    def _looked_up(self, segments: Sequence[Segment], chosen: Sequence[NDArray[np.int64]]) -> Known:
        ids: list[bytes] = []
        texts: list[bytes] = []
        prints: list[Prints] = []
        for segment, numbers in zip(segments, chosen, strict=True):
            found = [segment.entry(number) for number in numbers.tolist()]
            ids.extend(id_ for id_, _ in found)
            texts.extend(text for _, text in found)
            prints.append(segment.prints.of(numbers))
            self._check_texts(segment, [text for _, text in found], prints[-1], ids[len(ids) - len(found) :])
        loose = [segment.loose[numbers] != 0 for segment, numbers in zip(segments, chosen, strict=True)]
        return Known(
            prints=Prints.joined(prints, self._banding.bands),
            ids=ids,
            texts=texts,
            loose=np.concatenate([np.empty(0, np.bool_), *loose]),
        )

    def _check_texts(self, segment: Segment, texts: Sequence[bytes], prints: Prints, ids: Sequence[bytes]) -> None:
        content = np.frombuffer(b"".join(texts), np.uint8)
        spans = Spans(bytes=content, offsets=np.cumsum([0, *map(len, texts)]).astype(np.int64))
        read, _ = corpus.read(spans, num_threads=self._num_threads)
        wrong = np.flatnonzero((read.keys != prints.keys).any(axis=1)).tolist()
        if wrong:
            place = wrong[0]
            raise ValueError(
                f"index: in {str(segment.path)!r} the text of query {ids[place].decode('utf-8', 'replace')!r} is not"
                " the one that was written; put the file back, or build the index anew"
            )

    def add(
        self, spool: Spool, prints: Prints, loose: NDArray[np.bool_], chosen: NDArray[np.int64], inputs: str
    ) -> None:
        """Make the chosen queries known, in place of those that the same inputs left before if these are others.

        Raises OSError that names a file.
        """
        names = {entry.name for entry in self._entries}
        name = next(name for number in count(1) if (name := f"{number:06d}") not in names)
        try:
            entry = write_segment(self._folder, name, inputs, spool, prints, loose, chosen)
        except BaseException:  # a full disk: what was written takes room, and nobody lists it
            remove_segment(self._folder, name)
            raise
        place = next((place for place, one in enumerate(self._entries) if one.inputs == inputs), None)
        if place is None:
            entries, gone = [*self._entries, entry], None
        elif replace(self._entries[place], name=name) == entry:
            entries, gone = self._entries, name
        else:
            entries, gone = [*self._entries[:place], entry, *self._entries[place + 1 :]], self._entries[place].name
        if entries is not self._entries:
            self._write_manifest(entries)
            self._entries = entries
        if gone is not None:
            remove_segment(self._folder, gone)

    def _write_manifest(self, entries: Sequence[SegmentEntry]) -> None:
        manifest = {"made_with": made_with(self._banding), "segments": [asdict(entry) for entry in entries]}
        write_whole(self._folder / _MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _first_keys(prints: Prints) -> NDArray[np.uint64]:
    return prints.keys[:, 0]


def _band_keys(band: int) -> Callable[[Prints], NDArray[np.uint64]]:
    return lambda prints: prints.band_keys[band]
