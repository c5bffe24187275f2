"""`metrics.jsonl` of training: one line a step, each step once and in order, also after a crash and a resume."""

from pathlib import Path
from types import TracebackType
from typing import Any

import orjson


class StepLog:
    """Appends lines to `path`; lines of steps after `last_step`, which will be made again, are dropped on opening."""

    def __init__(self, path: str | Path, *, last_step: int) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists():
            self._cut(last_step)
        self._file = self._path.open("ab", buffering=0)

    def write(self, record: dict[str, Any]) -> None:
        """One step's figures, in one write."""
        self._file.write(orjson.dumps(record) + b"\n")

    def __enter__(self) -> "StepLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

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
