"""Checkpoints that are whole or not there. Each is written aside, listed with its sizes, synced, then renamed to
`step-N`; the newest whole one is found again, a half-written one is passed over with a message and removed.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

MANIFEST = "complete.json"
_NAME = re.compile(r"step-(\d+)")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """`step` optimiser steps were done; `facts` is what the writer had to say."""

    folder: Path
    step: int
    facts: dict[str, Any]


class CheckpointFolder:
    """The checkpoints of one run. Rank 0 begins, commits and cleans; the others write files in between."""

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

    def commit(self, step: int, facts: dict[str, Any]) -> Path:
        """Make the written files the checkpoint of `step`, durably, and drop the oldest beyond those kept."""
        aside, final = self.aside(step), self.folder / f"step-{step}"
        files = sorted(path for path in aside.rglob("*") if path.is_file())
        for path in files:
            _sync(path)
        manifest = {
            "step": step,
            "facts": facts,
            "files": {str(path.relative_to(aside)): path.stat().st_size for path in files},
        }
        (aside / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for path in (aside / MANIFEST, aside):
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

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, and a message for each that had to be passed over. Changes nothing."""
        messages: list[str] = []
        for step in reversed(self._found()):
            folder = self.folder / f"step-{step}"
            fault = _fault(folder)
            if fault is None:
                facts = orjson.loads((folder / MANIFEST).read_bytes())["facts"]
                return Checkpoint(folder=folder, step=step, facts=facts), messages
            messages.append(f"checkpoint {str(folder)!r} is passed over: {fault}")
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


def _fault(folder: Path) -> str | None:
    """What is missing from a checkpoint, or None when it is whole."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        files: dict[str, int] = manifest["files"]
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"{MANIFEST} is damaged"
    for name, size in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            return f"{name} " + ("is missing" if found is None else f"has {found} bytes, {size} were written")
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
