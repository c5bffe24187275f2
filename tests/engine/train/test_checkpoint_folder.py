import pytest

from reasonmill.engine.train.checkpoint import MANIFEST, CheckpointFolder


def save(folder: CheckpointFolder, step: int) -> None:
    folder.begin(step)
    (folder.aside(step) / "state").mkdir()
    for rank in range(2):
        (folder.aside(step) / "state" / f"rank-{rank}.pt").write_bytes(b"x" * (10 + rank))
    folder.commit(step, {"world_size": 2})


def test_the_newest_checkpoint_is_found_and_only_the_last_ones_are_kept(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoints", keep=2)
    assert folder.newest() == (None, [])
    for step in (2, 4, 10):
        save(folder, step)
    found, messages = folder.newest()
    assert (found.step, found.facts, messages) == (10, {"world_size": 2}, [])
    assert sorted(path.name for path in folder.folder.iterdir()) == ["step-10", "step-4"]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: (path / MANIFEST).unlink(), "complete.json is missing"),
        (lambda path: (path / MANIFEST).write_bytes(b"{"), "complete.json is damaged"),
        (lambda path: (path / MANIFEST).write_bytes(b"[]"), "complete.json is damaged"),
        (lambda path: (path / "state" / "rank-1.pt").unlink(), "state/rank-1.pt is missing"),
        (lambda path: (path / "state" / "rank-1.pt").write_bytes(b"x"), "state/rank-1.pt has 1 bytes, 11 were written"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_passed_over_with_a_message(tmp_path, damage, told):
    folder = CheckpointFolder(tmp_path, keep=3)
    save(folder, 1)
    save(folder, 2)
    damage(tmp_path / "step-2")
    found, messages = folder.newest()
    assert found.step == 1
    assert len(messages) == 1
    assert "step-2' is passed over" in messages[0]
    assert told in messages[0]


def test_a_checkpoint_that_was_never_committed_does_not_count_and_is_cleaned_away(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=3)
    save(folder, 1)
    folder.begin(2)
    (folder.aside(2) / "rank-0.pt").write_bytes(b"half")
    assert folder.newest()[0].step == 1
    folder.clean()
    assert [path.name for path in tmp_path.iterdir()] == ["step-1"]


def test_a_step_saved_again_replaces_the_damaged_one(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=3)
    save(folder, 1)
    (tmp_path / "step-1" / MANIFEST).unlink()
    save(folder, 1)
    assert folder.newest()[0].step == 1


def test_a_checkpoint_that_is_not_whole_takes_no_place_among_those_kept(tmp_path):
    folder = CheckpointFolder(tmp_path, keep=1)
    save(folder, 1)
    (tmp_path / "step-9").mkdir()  # half of it, newer than the whole one
    save(folder, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-2"]
    assert folder.newest()[0].step == 2
