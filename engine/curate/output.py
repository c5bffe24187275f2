"""The folder that `reasonmill curate` writes to: the files of the last call that succeeded, whole and together.

All are written aside, synced and renamed, counts.json last: where it is, the others belong to it. A call that fails
replaces no good set: what it removed, and why it failed, is in the folder `failed`, which the next success takes away.
Where no good set is to be lost, a call that failed for too many unreadable rows leaves its files in the folder itself;
`failed` in counts.json says so.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from reasonmill.engine.curate.decisions import Decisions, removals
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.rejects_file import RejectsFile, reject_to_json
from reasonmill.engine.curate.repeated import unfit
from reasonmill.engine.records import Reject
from reasonmill.engine.store.aside import Together, whole_files

COUNTS, VARIANTS, REMOVED, KEPT = "counts.json", "variants.jsonl", "removed.jsonl", "kept.jsonl"
WRITTEN = (KEPT, REMOVED, VARIANTS, COUNTS)  # in the order in which they get their names
FAILED = "failed"  # folder of what the last call would have written


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The output folder, held by one call at a time: two would empty each other's work folder. It leaves no file."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"output folder {str(folder)!r} is in use by another curate: choose another") from None
        yield
    finally:
        os.close(handle)


def paths_written(folder: Path) -> list[Path]:
    """Every file that a call may write or take away."""
    return [place / name for place in (folder, folder / FAILED) for name in WRITTEN]


def place_of_failed(folder: Path) -> Path:
    """Where a call that fails writes what it has: beside a good set, never over it."""
    return folder / FAILED if _is_good(folder / COUNTS) else folder


def _is_good(counts: Path) -> bool:
    try:
        value = orjson.loads(counts.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True  # not one of ours: not ours to replace by a failure
    return not (isinstance(value, dict) and "failed" in value)


def clear_failed(folder: Path) -> None:
    """Take away what a failed call left; files of others stay."""
    place = folder / FAILED
    if not place.is_dir():
        return
    for name in WRITTEN:
        (place / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        place.rmdir()


def removed_rows(reading: Reading, decisions: Decisions | None, behind: RejectsFile) -> Iterator[Reject]:
    """What was removed, step by step and in input order within each; before it was decided, what reading found."""
    if decisions is None:
        yield from (reject for _, reject in reading.unreadable())
    else:
        yield from unfit(reading)
    yield from reading.filtered()
    if decisions is not None:
        yield from removals(decisions, reading.spool, len(reading.spool))
    yield from (reject for _, reject in behind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """The files of a call while they are written."""

    kept: BinaryIO
    removed: BinaryIO
    variants: BinaryIO
    counts: BinaryIO
    together: Together
    reasons: Counter[str] = field(default_factory=Counter)

    def remove(self, reject: Reject) -> None:
        """One line of removed.jsonl."""
        _write_reject(reject, self.removed, self.reasons)

    def count(self, counts: dict[str, Any]) -> None:
        """The content of counts.json."""
        _write_counts(counts, self.counts)


@contextmanager
def writing(folder: Path) -> Iterator[Files]:
    """The files of a call; they are in the folder when the block ends without an exception."""
    with whole_files([folder / name for name in WRITTEN]) as together:
        kept, removed, variants, counts = together.streams
        yield Files(kept=kept, removed=removed, variants=variants, counts=counts, together=together)


def write_failure(
    folder: Path, reading: Reading, decisions: Decisions | None, behind: RejectsFile, failure: Exception
) -> None:
    """What was removed until a call failed, and why it did, in the folder `failed`; the failure says where."""
    clear_failed(folder)
    place = folder / FAILED
    reasons: Counter[str] = Counter()
    with whole_files([place / REMOVED, place / COUNTS]) as together:
        removed, counts = together.streams
        for reject in removed_rows(reading, decisions, behind):
            _write_reject(reject, removed, reasons)
        found = {"failed": str(failure), "read": reading.num_rows, "removed": sum(reasons.values())}
        _write_counts({**found, "reasons": dict(sorted(reasons.items()))}, counts)
    failure.add_note(f"what was removed until then is in {str(place / REMOVED)!r}")


def _write_reject(reject: Reject, stream: BinaryIO, reasons: Counter[str]) -> None:
    reasons[f"{reject.stage}/{reject.reason}"] += 1
    stream.write(orjson.dumps(reject_to_json(reject), option=orjson.OPT_APPEND_NEWLINE))


def _write_counts(counts: dict[str, Any], stream: BinaryIO) -> None:
    stream.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
