"""`metrics.jsonl` of training: one line a step, each step once and in order, also after a crash and a resume. The same
figures go to TensorBoard's files where a folder for them is given.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from reasonmill.engine.train.event_file import EventFile

_NO_SCALARS = ("step", "start_unix_s", "end_unix_s")


class StepLog:
    """Appends lines to `path`; lines of steps after `last_step`, which will be made again, are dropped on opening."""

    def __init__(self, path: str | Path, *, last_step: int, tensorboard: Path | None = None) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._cut(last_step)
        self._file = self._path.open("ab", buffering=0)
        self._events = None if tensorboard is None else EventFile(tensorboard, last_step=last_step)

    def write(self, record: dict[str, Any]) -> None:
        """One step's figures, in one write."""
        self._file.write(orjson.dumps(record) + b"\n")
        if self._events is not None:
            scalars = {f"train/{name}": float(value) for name, value in record.items() if name not in _NO_SCALARS}
            self._events.write(record["step"], scalars, time_unix_s=record["end_unix_s"])

    def __enter__(self) -> "StepLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()

    def _cut(self, last_step: int) -> None:
        kept = []
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n") or orjson.loads(line)["step"] > last_step:
                break  # half a line of a killed process, or a step after the checkpoint
            kept.append(line)
        aside = self._path.with_name(f".{self._path.name}.partial")
        aside.write_bytes(b"".join(kept))
        aside.replace(self._path)


def newest_record(path: Path) -> dict[str, Any] | None:
    """The last whole line of a step log, or None."""
    if not path.exists():
        return None
    lines = path.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines[-2:] if line.endswith(b"\n")]
    record: dict[str, Any] | None = orjson.loads(whole[-1]) if whole else None
    return record
