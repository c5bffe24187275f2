"""An output of `reasonmill verify` that is being written: aside, under its name only when it is whole. One that was
left half-written is continued behind its last whole line; a torn line is written anew.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson

from reasonmill.engine.store.aside import SUFFIX

_KEYS = ("id", "outcome", "score", "verifier", "reason", "duration_s")
_OUTCOMES = ("pass", "fail", "not_run")
Line = dict[str, object]


class Output:
    """The lines that are there already (`known`, once), and a stream for those that follow."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream = stream
        self._path = path

    def known(self) -> Iterator[Line]:
        """Whole lines of the half-written output in order; behind the last of them the file is cut."""
        end = 0
        with self._path.open("rb") as old:
            for text in old:
                line = _parsed(text)
                if line is None:
                    break
                end += len(text)
                yield line
        self._stream.truncate(end)
        self._stream.seek(end)

    def write(self, line: Line) -> None:
        """Append one line."""
        self._stream.write(orjson.dumps(line) + b"\n")

    def flush(self) -> None:
        """Hand what was written to the system, so that it outlives this process."""
        self._stream.flush()


@contextmanager
def continued_output(path: Path, *, resume: bool) -> Iterator[Output]:
    """The output at `path`; with `resume`, what a run before left of it is kept. What fails or is stopped leaves the
    part that was written for the next `resume`. Raises OSError that names the path.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # a device or a pipe
            with target.open("wb") as stream:
                yield Output(stream, Path(os.devnull))
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + SUFFIX)
        if resume and not aside.exists() and target.exists():
            target.rename(aside)
        if not resume:
            aside.unlink(missing_ok=True)
        aside.touch()
        with aside.open("r+b") as stream:
            yield Output(stream, aside)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _parsed(text: bytes) -> Line | None:
    """A whole line of an output, else None."""
    if not text.endswith(b"\n"):
        return None
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(line, dict) or tuple(line) != _KEYS or line["outcome"] not in _OUTCOMES:
        return None
    return line
