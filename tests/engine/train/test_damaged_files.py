"""Files that are altered behind the trainer's back are named, and what they belong to is not used."""

import errno
from pathlib import Path

import pytest
import torch

from reasonmill.engine.train import export
from reasonmill.engine.train.checkpoint import MANIFEST, CheckpointFolder
from reasonmill.engine.train.digest import HashedFile, content_of
from reasonmill.engine.train.loop import _write
from reasonmill.engine.train.status import student_fault, write_status


def flip(path, place=None) -> None:
    """Turn one bit of a file over."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 1
    path.write_bytes(content)


def test_what_is_written_and_what_is_read_have_one_digest(tmp_path):
    with HashedFile(tmp_path / "a") as file:
        assert [file.write(piece) for piece in (b"abc", bytearray(b"de"), memoryview(b"")[:0])] == [3, 2, 0]
        torch.save({"weights": torch.arange(1000)}, file)
    assert content_of(tmp_path / "a") == file.content
    assert file.content.size == (tmp_path / "a").stat().st_size
    assert (tmp_path / "a").read_bytes().startswith(b"abcde")


def test_a_disk_that_is_full_is_told_and_not_taken_for_an_end(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match="No space left") as told, HashedFile("/dev/full") as file:
        file.write(b"x" * 100)
    assert told.value.errno == errno.ENOSPC


def test_torch_tells_of_a_full_disk_in_a_way_that_the_loop_knows():
    class Engine:
        def save(self, folder):
            with HashedFile("/dev/full") as file:
                torch.save({"weights": torch.zeros(1000)}, file)

    with pytest.raises(OSError, match=r"cannot be written, [\d,]+ MiB are free there: "):
        _write(Engine(), Path("/dev"))


def saved(folder: CheckpointFolder, step: int) -> None:
    """A checkpoint of two ranks, one of which told what it wrote."""
    folder.begin(step)
    state = folder.aside(step) / "state"
    state.mkdir()
    with HashedFile(state / "rank-0.pt") as file:
        file.write(b"first" * step)
    folder.note(step, 0, {state / "rank-0.pt": file.content})
    (state / "rank-1.pt").write_bytes(b"second" * step)
    folder.commit(step, {})


def test_one_bit_in_any_file_of_a_checkpoint_is_found_by_one_of_its_readers(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=3)
    for step in (1, 2):
        saved(folder, step)
    newest, _ = folder.newest()
    assert newest.step == 2
    assert [newest.damage(part=part, parts=2) for part in (0, 1)] == [None, None]
    assert sorted(path.name for path in newest.folder.rglob("*") if path.is_file()) == [
        MANIFEST,
        "rank-0.pt",
        "rank-1.pt",
    ]
    for number in (0, 1):
        path = newest.folder / "state" / f"rank-{number}.pt"
        flip(path)
        found = [newest.damage(part=part, parts=2) for part in (0, 1)]
        assert found[number] == f"state/rank-{number}.pt is damaged: its checksum is not that of what was written"
        assert found[1 - number] is None
        assert newest.damage() == found[number]
        flip(path)
    (newest.folder / "state" / "rank-1.pt").unlink()
    (newest.folder / "state" / "rank-1.pt").mkdir()
    assert newest.damage().startswith("state/rank-1.pt cannot be read: ")
    assert folder.newest(before=2)[0].step == 1
    assert folder.newest(before=1)[0] is None


def test_a_checkpoint_of_old_that_knows_sizes_alone_is_still_taken(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=3)
    saved(folder, 1)
    path = tmp_path / "step-1" / MANIFEST
    path.write_text('{"step": 1, "facts": {}, "files": {"state/rank-0.pt": 5, "state/rank-1.pt": 6}}')
    found, messages = folder.newest()
    assert (found.step, found.damage(), messages) == (1, None, [])


def test_a_student_with_one_bit_turned_over_or_a_file_gone_is_not_whole(tmp_path):
    student = tmp_path / "student"
    student.mkdir()
    for name in ("config.json", "model.safetensors"):
        (student / name).write_bytes(name.encode() * 9)
    contents = {path.name: content_of(path) for path in student.iterdir()}
    write_status(tmp_path, "finished", 3, student=contents)
    assert student_fault(tmp_path, student) is None
    flip(student / "model.safetensors")
    assert "model.safetensors' is damaged" in student_fault(tmp_path, student)
    flip(student / "model.safetensors")
    (student / "config.json").unlink()
    assert "config.json' is missing" in student_fault(tmp_path, student)
    write_status(tmp_path, "finished", 3)
    assert student_fault(tmp_path, student) is None


def test_weights_are_read_again_before_they_count_as_written(tmp_path):
    weights = {"a": torch.tensor([1.0, float("nan")]), "b": torch.ones(3, 2, dtype=torch.bfloat16)}
    export._save_weights(tmp_path, weights, mode=0o644)
    path = tmp_path / "model.safetensors"
    export._check_weights(path, weights)
    flip(path, place=path.stat().st_size - 1)
    with pytest.raises(OSError, match=r"model.safetensors' does not hold what was written to it: [ab] is another"):
        export._check_weights(path, weights)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"model\.safetensors' does not hold what was written to it"):
        export._check_weights(path, weights)
