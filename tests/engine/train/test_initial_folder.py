"""The student as it was before its first step, which an evaluation compares with."""

from pathlib import Path

from reasonmill.engine.train.rank import _write_initial
from reasonmill.engine.train.settings import ModelShape, TrainSettings


class Writer:
    """Writes how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.model = self

    def state_dict(self) -> dict:
        return {}

    def __call__(self, folder: Path, weights: dict) -> None:
        self.calls += 1
        folder.mkdir()
        (folder / "config.json").write_text(str(self.calls))


def test_the_first_student_is_written_once_and_anew_for_another_model(tmp_path):
    folder, write = tmp_path / "initial", Writer()
    small, large = (TrainSettings(model=ModelShape(hidden_size=size)) for size in (32, 64))
    for settings, begun, calls in ((small, False, 1), (small, False, 1), (large, False, 2), (small, True, 2)):
        _write_initial(folder, settings, write, begun=begun)
        assert (folder / "config.json").read_text() == str(calls) == str(write.calls)


def test_a_link_to_a_model_that_is_gone_is_replaced(tmp_path):
    folder, write = tmp_path / "initial", Writer()
    folder.symlink_to(tmp_path / "gone")
    (tmp_path / "model").mkdir()
    _write_initial(folder, TrainSettings(model=str(tmp_path / "model")), write, begun=False)
    assert folder.resolve() == tmp_path / "model"
    _write_initial(folder, TrainSettings(), write, begun=False)
    assert not folder.is_symlink()
    assert (tmp_path / "model").is_dir()
