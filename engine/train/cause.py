"""Why the trainer ended, in its own words: the line that a rank wrote before torchrun's account of it."""

import re
from pathlib import Path

_TAIL = 2**20  # bytes of a log that are looked through
_RAISED = re.compile(r"(?:\[rank\d+\]: )?([\w.]*(?:Error|Exception): .*)")  # torch puts the rank in front
_MARKS = ("error: ", "training cannot go on: ")


def cause_in(log: Path, *, since: int = 0) -> str | None:
    """The first line behind byte `since` that names a cause, else the first that is an exception, else None."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(since, log.stat().st_size - _TAIL))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        for mark in _MARKS:
            if line.startswith(mark):
                return line.removeprefix(mark)
    return next((found[1] for line in lines if (found := _RAISED.match(line))), None)
