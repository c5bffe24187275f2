"""A file with room reserved ahead holds what was written and no more, also where no room can be reserved."""

import errno
import os
from pathlib import Path

import pytest

from reasonmill.engine.curate import growing_file
from reasonmill.engine.curate.growing_file import GrowingFile

PARTS = [bytes([n]) * size for n, size in enumerate((1, 0, 5000, 3, 70_000, 12))]


def written(path: Path) -> bytes:
    file = GrowingFile(path)
    for part in PARTS:
        file.write(memoryview(part))
    file.end()
    assert file.part(1, 5001) == PARTS[2]
    assert bytes(file.mapped()) == b"".join(PARTS)
    file.close()
    return path.read_bytes()


@pytest.mark.parametrize("step", [1, 4096, 2**22])
def test_what_was_reserved_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(growing_file, "_FIRST_STEP", step)
    assert written(tmp_path / "file") == b"".join(PARTS)


def test_a_file_is_written_where_nothing_can_be_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, start: int, size: int) -> None:
        os.ftruncate(descriptor, start + size // 2)
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert written(tmp_path / "file") == b"".join(PARTS)


def test_a_file_may_be_written_again_from_its_begin(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "file")
    file.write(memoryview(b"one two three"))
    file.end()
    file.rewind()
    file.write(memoryview(file.part(4, 8)))
    file.write(memoryview(b"four"))
    file.end()
    file.close()
    assert (tmp_path / "file").read_bytes() == b"two four"


def test_an_empty_file_is_mapped_as_nothing(tmp_path: Path) -> None:
    file = GrowingFile(tmp_path / "file")
    file.end()
    assert bytes(file.mapped()) == b""
    file.close()
