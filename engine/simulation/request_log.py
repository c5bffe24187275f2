"""What a simulated server was asked and what became of it: one JSON line each, written before the client can know it,
so that a log outlives any client and proves what was asked twice.

Events: `asked` with the fault that awaits it, `finished` (all tokens made), `delivered` (all bytes handed to the
kernel), `aborted` (the client left), `failed` (the fault struck, or the replica died).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from reasonmill.engine.records import content_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What a log line says of its request."""

    replica: str
    request: int
    prompt: str
    seed: int
    choice: int = 0


class RequestLog:
    """Appends to a file; None for none. Lines of several processes on one file do not mix."""

    def __init__(self, path: Path | None) -> None:
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def say(self, event: str, named: Named, **more: object) -> None:
        """One line. `query` is the content id of the prompt, `prompt` its beginning."""
        if self._file is None:
            return
        line = {
            "unix_s": time.time(),
            "event": event,
            "replica": named.replica,
            "request": named.request,
            "query": content_id(named.prompt),
            "seed": named.seed,
            "choice": named.choice,
            "prompt": named.prompt[:80],
            **more,
        }
        os.write(self._file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """No more lines will come."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
