"""What cannot end well is refused before anything is asked or written: one line that names the place and the value."""

import sqlite3
from contextlib import closing

import orjson
import pytest

from reasonmill.engine.evaluate.questions import distinct_names

RECIPE = """
run: {name: tiny, seed: 1}
queries: {paths: [queries.jsonl]}
teachers:
  - {name: sums, kind: scripted, script: "arithmetic:1.0"}
attempts: {max_attempts: 3}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    row = {"id": "q", "prompt": "What is 1 + 7?", "category": "math", "ground_truth": "8"}
    (tmp_path / "queries.jsonl").write_bytes(orjson.dumps(row) + b"\n")
    return tmp_path


PACKED = 'pack={tokenizer: "embedded:tiny_teacher"}'
MISTAKES = {
    "questions that are not there": (["evaluate.questions=[nope.jsonl]"], "'nope.jsonl' does not exist"),
    "no questions": (["evaluate={questions: []}"], "evaluate.questions is empty"),
    "questions that cannot be read": (["evaluate.questions=[recipe.yaml]"], "known input types are"),
    "a name no file can have": (["teachers.0.name=" + "t" * 300], "has 300 characters, at most 200"),
    "a run no folder can be named by": (["run.name=" + "ü" * 101], "name: "),
    "a student that is not there": ([PACKED, "train.model=/nonexistent"], "train.model: the folder '/nonexistent'"),
    "an unknown category": (["queries.category=foo"], "queries: category: 'foo' is none of math"),
    "no number": (["curate.decontaminate.least_weight=.nan"], "curate.decontaminate.least_weight: nan is not a number"),
    "no number among several": (["attempts.max_hours=.nan"], "attempts.max_hours: nan is not a number"),
    "an evaluation set that looks generated": (
        ["curate.against=[{path: inputs/no.jsonl}]"],
        "'inputs/no.jsonl' does not",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_before_the_first_question_is_asked(folder, reasonmill, mistake):
    overrides, message = MISTAKES[mistake]
    status, _, error = reasonmill("run", "recipe.yaml", *overrides, "--output-dir", "out")
    assert (status, error.startswith("error: ")) == (2, True), error
    assert message in error
    assert not (folder / "out").exists()


def test_yaml_that_no_recipe_can_be_is_named(folder, reasonmill):
    for text, message in (("? [a, b]\n: 3", "a key is a list or a section"), ("a: " + "[" * 3000, "nested too deep")):
        (folder / "odd.yaml").write_text(text)
        status, _, error = reasonmill("run", "odd.yaml")
        assert status == 2
        assert "'odd.yaml' is not YAML" in error
        assert message in error


def test_a_file_of_the_folder_inputs_is_the_users_where_there_is_no_generator(folder, reasonmill):
    (folder / "inputs").mkdir()
    (folder / "inputs" / "eval.jsonl").write_bytes((folder / "queries.jsonl").read_bytes())
    against = "curate.against=[{path: inputs/eval.jsonl, rules: [containment]}]"
    assert reasonmill("run", "recipe.yaml", against, "--output-dir", "out")[0] == 0
    removed = orjson.loads((folder / "out" / "summary.json").read_bytes())["removed"]
    assert removed == {"contaminated_containment": 1}


def test_an_output_folder_that_can_be_none_is_a_sentence(folder, reasonmill):
    (folder / "file").write_text("not a folder")
    packing = ("pack", "recipe.yaml", PACKED, "--input", "queries.jsonl")
    for command in (("run", "recipe.yaml"), packing, ("curate", "--queries", "queries.jsonl")):
        for name in ("file", "file/below", "x" * 300):
            status, _, error = reasonmill(*command, "--output-dir", name)
            assert (status, error.count("\n")) == (2, 1), error
            assert error.startswith("error: --output-dir '")
            assert "Errno" not in error


def test_no_output_is_written_over_an_input_or_over_the_run(folder, reasonmill):
    (folder / "d").mkdir()
    kept = folder / "d" / "kept.jsonl"
    kept.write_bytes((folder / "queries.jsonl").read_bytes())
    status, _, error = reasonmill("curate", "--queries", "d/kept.jsonl", "--output-dir", "d")
    assert (status, kept.read_bytes()) == (2, (folder / "queries.jsonl").read_bytes())
    assert "kept.jsonl' is an input" in error
    assert reasonmill("run", "recipe.yaml", "--output-dir", "out")[0] == 0
    for name in ("journal.sqlite", "journal.sqlite-wal", "dataset/sums/math-00000.parquet", "summary.json", "logs/x"):
        status, _, error = reasonmill("export", "out", "--format", "messages", "--output", f"out/{name}")
        assert status == 2
        assert "is the run's own" in error
    with closing(sqlite3.connect(folder / "out" / "journal.sqlite")) as journal:
        assert journal.execute("SELECT count(*) FROM pairs").fetchone() == (1,)
    assert reasonmill("export", "out", "--output", "out/mine.jsonl")[0] == 0


def test_a_folder_that_is_no_run_gets_no_report(folder, reasonmill):
    (folder / "mine").mkdir()
    status, _, error = reasonmill("report", "mine")
    assert status == 2
    assert "'mine' is no run directory" in error
    assert list((folder / "mine").iterdir()) == []


def test_an_override_behind_input_files_is_an_override_and_a_missing_recipe_is_all_that_is_asked_for(
    folder, reasonmill
):
    (folder / "lengths.jsonl").write_bytes(b'{"num_tokens": 50}\n{"num_tokens": 78}\n')
    dry = ("pack", "recipe.yaml", "--output-dir", "p", "--dry-run", "--input", "lengths.jsonl", PACKED)
    status, shown, error = reasonmill(*dry, "pack.max_length=77")
    assert status == 0, error
    assert "too_long  1\n" in shown
    (folder / "odd=name.jsonl").write_bytes(b"")
    status, shown, error = reasonmill("pack", "recipe.yaml", PACKED, "--output-dir", "p", "--input", "odd=name.jsonl")
    assert status == 0, error
    status, _, error = reasonmill("run")
    assert status == 2
    assert error.rstrip().endswith("the following arguments are required: RECIPE.yaml")


def test_code_without_a_sandbox_is_said_before_it_is_asked(folder, reasonmill, monkeypatch):
    test_case = {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 2"]}
    code = {"id": "code", "prompt": "Write f of x.", "category": "code", "test_case": test_case}
    with (folder / "queries.jsonl").open("ab") as stream:
        stream.write(orjson.dumps(code) + b"\n")
    (folder / "empty").mkdir()
    monkeypatch.setenv("PATH", str(folder / "empty"))
    status, _, error = reasonmill("run", "recipe.yaml", "--output-dir", "out")
    assert status == 0
    assert "warning: no sandbox works here" in error
    assert "1 code queries will be asked" in error
    assert "reasonmill doctor" in error
    status, _, error = reasonmill("run", "recipe.yaml", "--limit", "1", "--output-dir", "math")
    assert (status, error) == (0, "")


def test_a_run_that_accepted_nothing_says_so_instead_of_training(folder, reasonmill):
    overrides = [PACKED, "train.max_steps=2", "teachers.0.script=arithmetic:0.0"]
    status, _, error = reasonmill("run", "recipe.yaml", *overrides, "--output-dir", "out")
    assert status == 1
    assert "error: there is nothing to train on: no accepted sample became a packed row" in error
    summary = orjson.loads((folder / "out" / "summary.json").read_bytes())
    assert summary["unanswered"] == {"wrong_answer": 1}


def test_models_of_one_name_are_told_apart(tmp_path):
    assert distinct_names(["/r1/student", "/r2/student", "/r2/other", "/r2/other"]) == [
        "r1/student",
        "r2/student",
        *["other"] * 2,
    ]
    assert distinct_names(["/a/x/s", "/b/x/s"]) == ["a/x/s", "b/x/s"]
    assert distinct_names(["/"]) == ["/"]
