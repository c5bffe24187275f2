"""Rejects set aside in a file until it is their turn to be written: a file of garbage has as many as it has lines."""

from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.records import Reject
from reasonmill.engine.store.aside import named


def reject_to_json(reject: Reject) -> dict[str, Any]:
    """The reject of a whole query as removed.jsonl has it."""
    return {"id": reject.query_id, "stage": reject.stage, "reason": reject.reason, "evidence": reject.evidence}


class RejectsFile:
    """Rejects in the order in which they are added, each with a number that belongs to it. In memory: the numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.numbers = array("q")
        self._stream = path.open("w+b", buffering=2**18)

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, number: int, reject: Reject) -> None:
        """The next one. Raises OSError that names the file where there is no room."""
        self.numbers.append(number)
        with named(self._path):
            self._stream.write(orjson.dumps(reject_to_json(reject), option=orjson.OPT_APPEND_NEWLINE))

    def __iter__(self) -> Iterator[tuple[int, Reject]]:
        with named(self._path):
            self._stream.flush()
        with self._path.open("rb") as lines:
            for number, line in zip(self.numbers, lines, strict=True):
                value = orjson.loads(line)
                yield (
                    number,
                    Reject(
                        query_id=value["id"], stage=value["stage"], reason=value["reason"], evidence=value["evidence"]
                    ),
                )

    def close(self) -> None:
        """Nothing more is added or read; the file goes with its folder."""
        with suppress(OSError):  # on a full disk what is still buffered fails again
            self._stream.close()
