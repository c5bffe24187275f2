"""Answers of one model on disk, one JSON line each, and what was found of them. What was written survives `kill -9`: a
line that was cut off is taken away when the file is opened again, every other answer is never asked for again.

An answer is known by what was asked (turns and seed), so that other questions, more samples of each, or another name
of the model leave it valid. Texts stay on disk; memory holds some 200 bytes an answer.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from reasonmill.engine.evaluate.identity import fingerprint
from reasonmill.engine.records import Message, content_id
from reasonmill.engine.store.aside import named
from reasonmill.engine.teachers.protocol import Generation

_FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer without its text, which is `place[1]` bytes of the file from byte `place[0]`: the line it is in.

    `checked` is what `add_verdict` said: by which check, and whether the answer is right.
    """

    key: str
    finish_reason: str
    completion_tokens: int
    words: tuple[int, ...]
    place: tuple[int, int]
    checked: tuple[str, bool] | None = None


def key_of(messages: Sequence[Message], seed: int) -> str:
    """What an answer is known by."""
    return content_id(str(seed), *(part for turn in messages for part in (turn.role, turn.content)))


class AnswerFile:
    """The answers in `folder` to what `asked` describes (`identity.asked_of`); `name` is for people. One process at a
    time has it open. Raises ValueError for a file that is damaged or in use, OSError that names it.
    """

    def __init__(self, folder: Path, asked: dict[str, Any], *, name: str, fresh: bool = False) -> None:
        mark = fingerprint(asked)
        self.path = _path(folder, name, mark[:12])
        self._answers: dict[str, Answer] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._size = 0
            if fresh:
                self._set_aside()
            self._read(mark)
            if not self._size:
                self._append({"kind": "asked", "format": _FORMAT, "fingerprint": mark, "name": name, "asked": asked})
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> "AnswerFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with named(self.path):
            os.fsync(self._file)
        os.close(self._file)

    @property
    def num_answers(self) -> int:
        """How many there are."""
        return len(self._answers)

    def find(self, key: str) -> Answer | None:
        """The answer to what was asked, or None."""
        return self._answers.get(key)

    def text(self, answer: Answer) -> str:
        """Text of an answer, read again."""
        line = os.pread(self._file, answer.place[1], answer.place[0])
        return str(orjson.loads(line)["text"])

    def add(self, key: str, facts: dict[str, Any], generation: Generation, words: tuple[int, ...]) -> Answer:
        """Write an answer; `facts` (benchmark, question, number, round) are for people."""
        start = self._size
        length = self._append(
            {
                "kind": "answer",
                "key": key,
                **facts,
                "finish_reason": generation.finish_reason,
                "prompt_tokens": generation.prompt_tokens,
                "completion_tokens": generation.completion_tokens,
                "duration_s": generation.duration_s,
                "words": words,
                "text": generation.text,
            }
        )
        answer = Answer(
            key=key,
            finish_reason=generation.finish_reason,
            completion_tokens=generation.completion_tokens,
            words=words,
            place=(start, length),
        )
        self._answers[key] = answer
        return answer

    def add_verdict(self, answer: Answer, *, check: str, right: bool, **facts: Any) -> None:
        """Write what a check found; `check` names the way it was made and what the answer was held against."""
        self._append({"kind": "verdict", "key": answer.key, "check": check, "right": right, **facts})
        self._answers[answer.key] = replace(answer, checked=(check, right))

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{str(self.path)!r} is in use: another evaluation writes its answers there") from None

    def _set_aside(self) -> None:
        """Keep what is there under another name and begin anew."""
        if os.fstat(self._file).st_size:
            number = 1
            while (old := self.path.with_suffix(f".{number}.old")).exists():
                number += 1
            shutil.copyfile(self.path, old)
            os.ftruncate(self._file, 0)

    def _read(self, mark: str) -> None:
        with os.fdopen(os.dup(self._file), "rb") as stream:
            stream.seek(0)
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    break  # the process was killed while it wrote
                self._take(line, number, mark)
                self._size += len(line)
        os.ftruncate(self._file, self._size)

    def _take(self, line: bytes, number: int, mark: str) -> None:
        try:
            value = orjson.loads(line)
            if number == 1:
                found = (value["kind"], value["format"], value["fingerprint"])
                if found != ("asked", _FORMAT, mark):
                    raise ValueError(f"its head says {found!r}")
            elif value["kind"] == "answer":
                self._answers[value["key"]] = Answer(
                    key=value["key"],
                    finish_reason=value["finish_reason"],
                    completion_tokens=int(value["completion_tokens"]),
                    words=tuple(value["words"]),
                    place=(self._size, len(line)),
                )
            else:
                known = self._answers[value["key"]]
                self._answers[value["key"]] = replace(known, checked=(value["check"], bool(value["right"])))
        except (KeyError, TypeError, ValueError) as error:  # JSONDecodeError is a ValueError
            raise ValueError(f"{str(self.path)!r}: line {number} is damaged: {error!r}; remove the file") from None

    def _append(self, value: dict[str, Any]) -> int:
        """Write one line, whole or not at all; returns its length."""
        line = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
        try:
            with named(self.path):
                written = 0
                while written < len(line):
                    written += os.pwrite(self._file, line[written:], self._size + written)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(line)
        return len(line)


def _path(folder: Path, name: str, mark: str) -> Path:
    """The file of these answers, whatever name it was given first."""
    known = sorted(folder.glob(f"*-{mark}.jsonl")) if folder.is_dir() else []
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-60:] or "model"
    return known[0] if known else folder / f"{readable}-{mark}.jsonl"
