import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from reasonmill.engine.records import Sample
from reasonmill.engine.store.card import write_card
from reasonmill.engine.store.settings import CardSettings
from reasonmill.engine.store.shards import write_shard

MakeSample = Callable[..., Sample]

SUMMARY = {
    "run": "tiny",
    "state": "finished",
    "queries_in": 20,
    "removed": {"exact_duplicate": 3, "contaminated_ngram": 5},
    "kept": 12,
    "pairs": 24,
    "accepted": 9,
    "unanswered": {"wrong_answer": 14, "time_limit": 1},
    "attempts": 60,
    "versions": {"reasonmill": "0.1.0"},
}
RECIPE = {
    "teachers": [{"name": "alpha", "kind": "vllm", "model": "some/model", "temperature": 1.0}],
    "attempts": {"threshold": 0.9, "max_attempts": 8},
    "curate": {"against": [{"path": "/data/held_back.jsonl"}]},
}


@pytest.fixture
def run_dir(tmp_path: Path, make_sample: MakeSample) -> Path:
    for teacher, number in (("alpha", 5), ("b/eta 2", 4)):
        folder = tmp_path / "dataset" / teacher.replace("/", "_")
        write_shard(
            folder / "math-00000.parquet",
            [make_sample(n, teacher=folder.name, completion_tokens=100) for n in range(number)],
        )
    write_shard(
        tmp_path / "dataset" / "alpha" / "code-00000.parquet", [make_sample(9, category="code", verifier="sandbox")]
    )
    (tmp_path / "summary.json").write_bytes(orjson.dumps(SUMMARY))
    (tmp_path / "recipe.resolved.yaml").write_text(yaml.safe_dump(RECIPE))
    return tmp_path


def front_matter(text: str) -> dict[str, Any]:
    _, matter, _ = text.split("---\n", 2)
    loaded = yaml.safe_load(matter)
    assert isinstance(loaded, dict)
    return loaded


def test_the_front_matter_has_a_configuration_for_each_teacher(run_dir: Path) -> None:
    matter = front_matter(write_card(run_dir).read_text())
    assert matter["license"] == "other"
    assert matter["size_categories"] == ["n<1K"]
    assert [c["config_name"] for c in matter["configs"]] == ["default", "alpha", "b_eta_2"]
    paths = [c["data_files"][0]["path"] for c in matter["configs"]]
    assert [len(list(run_dir.glob(path))) for path in paths] == [3, 2, 1]


def test_the_card_counts_what_lies_on_disk_and_what_was_removed(run_dir: Path) -> None:
    text = write_card(run_dir).read_text()
    assert "10 verified reasoning traces (1,009 response tokens) of 2 teachers" in text
    assert "| math | 5 · 100 | 4 · 100 | 9 |" in text
    assert "| – removed: `contaminated_ngram` | 5 |" in text
    assert "| code | `sandbox` (1) |" in text
    assert "15 of 24 pairs were not answered" in text
    assert "held\\_back.jsonl" in text
    assert "/data/" not in text  # places on this machine are nobody's business


def test_hugging_face_datasets_loads_the_folder_by_its_card(run_dir: Path, tmp_path: Path) -> None:
    write_card(run_dir)
    program = (
        "import sys, datasets\n"
        "load = lambda *name: datasets.load_dataset(sys.argv[1], *name, split='train', cache_dir=sys.argv[2])\n"
        "assert load().num_rows == 10\n"
        "assert set(load('alpha')['model_name']) == {'alpha'}\n"
    )
    environment = os.environ | {"PYTHONSAFEPATH": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", program, run_dir, tmp_path / "cache"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_licence_language_and_name_are_the_users(run_dir: Path) -> None:
    settings = CardSettings(license="cc-by-4.0", languages=("en", "zh"), pretty_name="My traces", description="Mine.")
    text = write_card(run_dir, settings).read_text()
    matter = front_matter(text)
    assert (matter["license"], matter["language"], matter["pretty_name"]) == ("cc-by-4.0", ["en", "zh"], "My traces")
    assert "\nMine.\n" in text


def test_the_same_run_makes_the_same_card(run_dir: Path) -> None:
    first = write_card(run_dir).read_bytes()
    assert write_card(run_dir).read_bytes() == first


def test_a_run_that_has_only_begun_still_gets_a_card(tmp_path: Path) -> None:
    text = write_card(tmp_path).read_text()
    assert "not finished: the dataset may still grow" in text
    assert front_matter(text)["configs"][0]["config_name"] == "default"


def test_text_of_a_run_cannot_break_the_card(run_dir: Path) -> None:
    evil = {**SUMMARY, "run": "a\n---\n<script>|", "unanswered": {"bad | <b>\n# reason": 2}}
    (run_dir / "summary.json").write_bytes(orjson.dumps(evil))
    text = write_card(run_dir).read_text()
    assert front_matter(text)["pretty_name"] == "a --- <script>|"
    body = text.partition("# a ")[2]
    assert "<script>" not in body
    assert "not answered: `bad \\| <b> # reason`" in body


def test_shards_that_cannot_be_read_are_named(run_dir: Path) -> None:
    (run_dir / "dataset" / "alpha" / "if-00000.parquet").write_text("broken")
    assert "alpha/if-00000.parquet" in write_card(run_dir).read_text()


def test_senseless_settings_name_the_value() -> None:
    with pytest.raises(ValueError, match="'English'"):
        CardSettings(languages=("English",))
    with pytest.raises(ValueError, match="license"):
        CardSettings(license=" ")


def test_a_card_reads_its_recipe_as_utf8_whatever_the_locale(run_dir: Path) -> None:
    recipe = yaml.safe_dump(RECIPE | {"run": {"name": "Prüfung 数学"}}, allow_unicode=True)
    (run_dir / "recipe.resolved.yaml").write_bytes(recipe.encode())
    program = "import sys, pathlib, reasonmill.engine.store.card as c; c.write_card(pathlib.Path(sys.argv[1]))"
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", program, str(run_dir)], env=os.environ | plain, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "some/model" in (run_dir / "README.md").read_text(encoding="utf-8")
