"""Checkpoints that are whole or not there. Each is written aside, listed with the sizes and digests of its files,
synced, then renamed to `step-N`. The newest whole one is found again; a half-written or damaged one is passed over with
a message that names the file, and removed when the next one is made.
"""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.train.digest import Content, content_of

MANIFEST = "complete.json"
_NAME = re.compile(r"step-(\d+)")
_NOTES = ".written-by-{}.json"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """`step` optimiser steps were done; `facts` is what the writer had to say."""

    folder: Path
    step: int
    facts: dict[str, Any]

    def damage(self, *, part: int = 0, parts: int = 1) -> str | None:
        """The first file whose bytes are not those that were written, or None; of `parts` readers, reader `part` looks
        at its share of the files. Files of checkpoints that were made before there were digests are not read.
        """
        for number, (name, known) in enumerate(sorted(_files(self.folder).items())):
            if number % parts != part or not known.digest:
                continue
            try:
                found = content_of(self.folder / name)
            except OSError as error:  # a disk that cannot give its bytes back
                return f"{name} cannot be read: {error.strerror}"
            if found != known:
                return f"{name} is damaged: its checksum is not that of what was written"
        return None


class CheckpointFolder:
    """The checkpoints of one run. Rank 0 begins, commits and cleans; all write files in between, and note them."""

    def __init__(self, folder: str | Path, *, keep: int) -> None:
        self.folder = Path(folder)
        self._keep = keep

    def aside(self, step: int) -> Path:
        """Where the files of the checkpoint of `step` are written before it is committed."""
        return self.folder / f".step-{step}.partial"

    def begin(self, step: int) -> None:
        """Make the folder to write into, empty."""
        shutil.rmtree(self.aside(step), ignore_errors=True)
        self.aside(step).mkdir(parents=True)

    def note(self, step: int, rank: int, written: Mapping[Path, Content]) -> None:
        """Tell what a rank wrote and synced, so that nobody reads it again."""
        aside = self.aside(step)
        content = {str(path.relative_to(aside)): asdict(known) for path, known in written.items()}
        (aside / _NOTES.format(rank)).write_bytes(orjson.dumps(content))

    def commit(self, step: int, facts: dict[str, Any]) -> Path:
        """Make the written files the checkpoint of `step`, durably, and drop the oldest beyond those kept."""
        aside, final = self.aside(step), self.folder / f"step-{step}"
        known: dict[str, Any] = {}
        for note in aside.glob(_NOTES.format("*")):
            known |= orjson.loads(note.read_bytes())
            note.unlink()
        for path in sorted(path for path in aside.rglob("*") if path.is_file()):
            name = str(path.relative_to(aside))
            if name not in known:
                _sync(path)
                known[name] = asdict(content_of(path))
        manifest = {"step": step, "facts": facts, "files": known}
        (aside / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        for path in (aside / MANIFEST, *(path for path in aside.rglob("*") if path.is_dir()), aside):
            _sync(path)
        shutil.rmtree(final, ignore_errors=True)
        aside.rename(final)
        _sync(self.folder)
        self._drop(step)
        return final

    def _drop(self, newest: int) -> None:
        """Remove what the checkpoint of step `newest` has made useless: older ones beyond those kept, those that are
        not whole, and later steps, which will be made again.
        """
        whole = [step for step in self._found() if step <= newest and _fault(self.folder / f"step-{step}") is None]
        for step in self._found():
            if step not in whole[-self._keep :]:
                shutil.rmtree(self.folder / f"step-{step}")

    def newest(self, *, before: int | None = None) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint (of a step before `before`), and a message for each that had to be passed over.
        Whole is one whose files are there and have their sizes: `Checkpoint.damage` reads them. Changes nothing.
        """
        messages: list[str] = []
        for step in reversed(self._found()):
            if before is not None and step >= before:
                continue
            folder = self.folder / f"step-{step}"
            fault = _fault(folder)
            if fault is None:
                facts = orjson.loads((folder / MANIFEST).read_bytes())["facts"]
                return Checkpoint(folder=folder, step=step, facts=facts), messages
            messages.append(passed_over(folder, fault))
        return None, messages

    def clean(self) -> None:
        """Remove what an earlier process left half-written."""
        for path in self.folder.glob(".step-*.partial"):
            shutil.rmtree(path)

    def _found(self) -> list[int]:
        if not self.folder.is_dir():
            return []
        matches = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in matches if match)


def passed_over(folder: Path, fault: str) -> str:
    """What is said of a checkpoint that is not used."""
    return f"checkpoint {str(folder)!r} is passed over: {fault}"


def _files(folder: Path) -> dict[str, Content]:
    """What the manifest lists; without digests in checkpoints of old. Raises as reading and parsing do."""
    files = orjson.loads((folder / MANIFEST).read_bytes())["files"]
    return {
        name: Content(size=told, digest="") if isinstance(told, int) else Content(**told)
        for name, told in files.items()
    }


def _fault(folder: Path) -> str | None:
    """What is missing from a checkpoint, or None when it is whole."""
    try:
        files = _files(folder)
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return f"{MANIFEST} is damaged"
    for name, known in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != known.size:
            return f"{name} " + ("is missing" if found is None else f"has {found} bytes, {known.size} were written")
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
