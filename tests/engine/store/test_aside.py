import os
import threading
from pathlib import Path

import pytest

from reasonmill.engine.store.aside import whole_file, whole_files, write_whole


def test_a_file_appears_whole_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    with whole_file(path) as stream:
        stream.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def break_off(path: Path) -> None:
    with whole_file(path) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt


def test_an_exception_inside_the_block_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        break_off(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_rest_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file.writing").write_bytes(b"a long rest of something else")
    write_whole(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through")
    reader.join(10)
    assert received == [b"through"]
    assert pipe.is_fifo()


def test_a_folder_cannot_be_overwritten(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        write_whole(tmp_path, b"x")


def test_files_are_replaced_together_or_not_at_all(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "folder" / "b", tmp_path / "last"]
    with whole_files(paths) as together:
        for stream in together.streams:
            stream.write(b"old")
        together.sync()
        assert not any(path.exists() for path in paths)
    with pytest.raises(OSError, match=str(tmp_path)), whole_files(paths) as together:  # noqa: PT012
        together.streams[0].write(b"new")
        raise OSError(28, "No space left on device")
    assert [path.read_bytes() for path in paths] == [b"old"] * 3
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "folder", "last"]


def test_without_the_last_file_the_others_are_no_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "a", tmp_path / "last"]
    for path in paths:
        path.write_bytes(b"old")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError), whole_files(paths):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
