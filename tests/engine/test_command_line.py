"""The command line: a mistake is one line that names the place and the value, and status 2; nothing else is lost."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.cli import run_command

ROOT = Path(__file__).resolve().parents[2]

RECIPE = """
run: {name: tiny, seed: 1, shard_queries: 32}
queries: {paths: [queries.jsonl]}
teachers:
  - {name: sums, kind: scripted, script: "arithmetic:0.6", max_num_seqs: 4}
attempts: {max_attempts: 3}
"""


def reasonmill(folder, *arguments, environment=()):
    command = [str(Path(sys.executable).parent / "reasonmill"), *map(str, arguments)]
    env = {**os.environ, **dict(environment)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=env)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    rows = [
        {"id": f"q{i}", "prompt": f"What is {i} + {i + 7}?", "category": "math", "ground_truth": str(2 * i + 7)}
        for i in range(40)
    ]
    (tmp_path / "queries.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return tmp_path


MISTAKES = {
    "unknown key": (
        ["attempts.max_attemps=3"],
        "unknown key 'attempts.max_attemps': did you mean 'attempts.max_attempts'?",
    ),
    "wrong type": (["attempts.max_attempts=many"], "attempts.max_attempts: 'many' is not an integer"),
    "value out of range": (["attempts.threshold=1.5"], "threshold: 1.5 is outside (0, 1]"),
    "missing query file": (["queries.paths=[nowhere.jsonl]"], "'nowhere.jsonl' does not exist"),
    "unknown file type": (["queries.paths=[recipe.yaml]"], "known input types are"),
    "no teacher": (["teachers=[]"], "teachers: the list is empty"),
    "missing script": (["teachers.0.script=nowhere.jsonl"], "nowhere.jsonl"),
    "missing model": (["teachers.0.kind=vllm", "teachers.0.model=nowhere"], "nowhere"),
    "training without rows": (["train.max_steps=3"], "without a section pack"),
    "missing evaluation set": (["curate.against=[{path: nowhere.jsonl}]"], "nowhere.jsonl"),
    "override without a value": (["attempts.max_attempts"], "is not of the form section.key=value"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_place_and_value(folder, mistake):
    overrides, message = MISTAKES[mistake]
    done = reasonmill(folder, "run", "recipe.yaml", *overrides, "--output-dir", "out")
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()  # the mended command may use it


def test_an_empty_output_folder_is_refused_rather_than_replaced(folder, capsys):
    assert run_command(["generate", str(folder / "recipe.yaml"), "--output-dir", ""]) == 2
    assert "--output-dir is empty" in capsys.readouterr().err
    assert not (folder / "runs").exists()


def test_a_recipe_that_is_none_is_named(folder):
    (folder / "broken.yaml").write_text("run: {name: [")
    for recipe, message in (
        ("missing.yaml", "does not exist"),
        ("broken.yaml", "is not YAML: while parsing a flow node, expected the node content"),
        (".", "is a folder"),
    ):
        done = reasonmill(folder, "run", recipe)
        assert done.returncode == 2
        assert message in done.stderr


def test_too_many_unreadable_lines_stop_the_run_and_name_the_first(folder):
    with (folder / "queries.jsonl").open("a") as stream:
        stream.write("{broken\n" * 3)
    done = reasonmill(folder, "run", "recipe.yaml", "--output-dir", "out")
    assert done.returncode == 2
    assert "3 of 43 rows cannot be read" in done.stderr
    assert "queries.jsonl:41" in done.stderr
    done = reasonmill(folder, "run", "recipe.yaml", "queries.max_unreadable_share=0.2", "--output-dir", "again")
    assert done.returncode == 0, done.stderr
    assert orjson.loads((folder / "again" / "summary.json").read_bytes())["removed"]["unreadable_line"] == 3


def test_a_run_directory_is_used_by_one_run_and_resumed_only_with_its_recipe(folder):
    assert reasonmill(folder, "run", "recipe.yaml", "--output-dir", "out").returncode == 0
    again = reasonmill(folder, "run", "recipe.yaml", "--output-dir", "out")
    assert again.returncode == 2
    assert "--resume" in again.stderr
    other = reasonmill(folder, "run", "recipe.yaml", "run.seed=2", "--output-dir", "out", "--resume")
    assert other.returncode == 2
    assert "run.seed was 1 and is now 2" in other.stderr
    none = reasonmill(folder, "run", "recipe.yaml", "--output-dir", "nothing-here", "--resume")
    assert none.returncode == 2
    assert "holds no run" in none.stderr
    same = reasonmill(folder, "run", "recipe.yaml", "--output-dir", "out", "--resume")
    assert same.returncode == 0, same.stderr


def test_a_dry_run_prints_the_resolved_recipe_and_makes_nothing(folder):
    done = reasonmill(folder, "run", "recipe.yaml", "attempts.max_attempts=9", "--dry-run")
    assert done.returncode == 0
    assert "max_attempts: 9" in done.stdout
    assert sorted(p.name for p in folder.iterdir()) == ["queries.jsonl", "recipe.yaml"]


def test_code_without_a_sandbox_is_rejected_with_that_reason_and_the_rest_goes_on(folder):
    test_case = {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 2"]}
    with (folder / "queries.jsonl").open("ab") as stream:
        stream.write(
            orjson.dumps({"id": "code", "prompt": "Write f.", "category": "code", "test_case": test_case}) + b"\n"
        )
    (folder / "script.jsonl").write_bytes(
        orjson.dumps(
            {
                "query_id": "code",
                "responses": [
                    {"text": "<think>x</think><answer>\n```python\ndef f(x):\n    return x + 1\n```\n</answer>"}
                ],
            }
        )
    )
    overrides = [
        "teachers.0.categories=[math]",
        "teachers=[{name: sums, kind: scripted, script: 'arithmetic:1.0', categories: [math]},"
        " {name: coder, kind: scripted, script: script.jsonl, categories: [code]}]",
    ]
    empty = folder / "empty"
    empty.mkdir()
    done = reasonmill(
        folder, "run", "recipe.yaml", *overrides, "--output-dir", "out", environment={"PATH": str(empty)}.items()
    )
    assert done.returncode == 0, done.stderr
    summary = orjson.loads((folder / "out" / "summary.json").read_bytes())
    assert summary["unanswered"] == {"no_sandbox": 1}
    assert summary["accepted"] == 40


def test_overrides_may_stand_behind_options_and_what_is_unknown_is_named(folder):
    done = reasonmill(folder, "run", "recipe.yaml", "--limit", "3", "attempts.max_attempts=9", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "max_attempts: 9" in done.stdout
    wrong = reasonmill(folder, "run", "recipe.yaml", "--limits", "3")
    assert wrong.returncode == 2
    assert "--limits" in wrong.stderr


def test_every_verb_explains_itself():
    for verb in ("run", "curate", "generate", "verify", "pack", "train", "evaluate", "export", "report", "doctor"):
        done = reasonmill(ROOT, verb, "--help")
        assert done.returncode == 0
        assert len(done.stdout) > 150, verb


def test_a_missing_package_is_named_with_the_extra_that_brings_it(folder):
    hide = folder / "hide"
    hide.mkdir()
    (hide / "sitecustomize.py").write_text("import sys\nsys.modules['reasoning_gym'] = None\n")
    done = reasonmill(
        folder,
        "run",
        "recipe.yaml",
        "queries={generator: quickstart, num_queries: 200}",
        "--output-dir",
        "out",
        environment={"PYTHONPATH": str(hide)}.items(),
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "pip install 'reasonmill[quickstart]'" in done.stderr
