from pathlib import Path

import pytest

from reasonmill.engine.embedded import train_teacher
from reasonmill.engine.embedded.tiny_model import load_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_training_twice_gives_the_same_weights_and_replaces_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_teacher, "NUM_TOKENIZER_QUESTIONS", 200)
    monkeypatch.setattr(train_teacher, "NUM_MEASURED", 4)
    weights = []
    for _ in range(2):
        assert train_teacher.main(["--output", str(tmp_path / "teacher"), "--steps", "2", "--seed", "3"]) == 0
        weights.append((tmp_path / "teacher" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert "--steps 2 --seed 3" in (tmp_path / "teacher" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["teacher"]


def test_a_batch_has_its_loss_on_responses_alone(tmp_path: Path) -> None:
    train_teacher.build_tokenizer(iter(()), tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    ids, labels = next(train_teacher.batches(tokenizer, seed=1))
    assert ids.shape == labels.shape
    assert len(ids) == train_teacher.BATCH
    for row, targets in zip(ids, labels, strict=True):
        response = tokenizer.decode(row[targets != -100])
        assert response.startswith("<think>")
        assert response.endswith("</answer><|im_end|>")
        assert (targets[targets != -100] == row[targets != -100]).all()


def test_no_steps_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train_teacher.main(["--output", str(tmp_path / "x"), "--steps", "0"])
    assert "--steps 0: at least 1" in capsys.readouterr().err
