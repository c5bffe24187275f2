"""`reasonmill evaluate` as a user calls it, over teachers that answer by rule."""

import orjson
import pytest

from reasonmill.engine.cli import run_command

RECIPE = """
run:
  seed: 3
queries:
  paths: [none.jsonl]
teachers:
  - {name: good, kind: scripted, script: "arithmetic:0.9", categories: [math], system_prompt: Be brief.}
  - {name: poor, kind: scripted, script: "arithmetic:0.2"}
evaluate:
  samples_per_question: 2
"""


@pytest.fixture
def reasonmill(tmp_path, monkeypatch, capsys):
    """Runs a command line in a folder with a recipe and two sets of questions; gives status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    for name, count in (("sums", 20), ("more", 5)):
        rows = [{"question": f"What is {i} + {count}?", "answer": str(i + count)} for i in range(count)]
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))

    def run(*arguments):
        capsys.readouterr()
        try:
            status = run_command(["evaluate", *map(str, arguments)])
        except SystemExit as usage:
            status = usage.code
        return status, *capsys.readouterr()

    return run


BOTH = ("recipe.yaml", "--questions", "sums.jsonl", "more.jsonl", "--output", "out/evaluation.json")


def test_teachers_of_a_recipe_times_sets_make_the_tables_of_the_paper(reasonmill, tmp_path):
    status, out, _ = reasonmill(*BOTH)
    assert status == 0
    content = orjson.loads((tmp_path / "out" / "evaluation.json").read_bytes())
    results = {(row["name"], row["benchmark"]): row for row in content["results"]}
    assert set(results) == {(name, one) for name in ("good", "poor") for one in ("sums", "more")}
    for (name, benchmark), row in results.items():
        assert row["role"] == "teacher"
        assert row["samples_per_question"] == 2
        assert content["tables"]["pass_at_1"][benchmark][name] == row["pass_at_1"]
        low, high = row["interval_95"]
        assert low <= row["pass_at_1"] <= high
        assert row["pass_at_k"]["1"] == pytest.approx(row["pass_at_1"])
        assert row["pass_at_k"]["2"] >= row["pass_at_1"]
    means = content["tables"]["pass_at_1"]["mean"]
    assert means["good"] == pytest.approx(
        (results["good", "sums"]["pass_at_1"] + results["good", "more"]["pass_at_1"]) / 2
    )
    assert means["good"] > 0.6 > 0.4 > means["poor"]
    text = (tmp_path / "out" / "evaluation.md").read_text()
    assert "| benchmark | good | poor |\n| --- | --- | --- |\n| sums | " in text
    assert text in out
    assert "### Mean generation tokens" in text


def test_the_same_call_again_asks_nobody_and_writes_the_same(reasonmill, tmp_path, monkeypatch):
    reasonmill(*BOTH)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.*") if path.is_file()}

    async def ask(self, request):
        raise AssertionError("asked again")

    monkeypatch.setattr("reasonmill.engine.teachers.scripted.ScriptedTeacher.generate", ask)
    status, _, err = reasonmill(*BOTH)
    assert (status, err) == (0, "")
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(AssertionError, match="asked again"):
        reasonmill(*BOTH, "--no-resume")


def test_options_go_over_the_recipe_and_the_recipe_over_the_preset(reasonmill):
    status, out, _ = reasonmill(*BOTH, "--preset", "nac", "--samples", "7", "--limit", "3", "--dry-run")
    assert status == 0
    assert "max_tokens: 49152" in out
    assert "prompts: nac" in out
    assert "samples_per_question: 7" in out
    assert "answers_of_each_model: 42" in out
    assert "system_prompt: Be brief." in out
    status, out, _ = reasonmill(*BOTH, "evaluate.temperature=0.1", "--set", "rounds=2", "--dry-run")
    assert status == 0
    assert out.count("temperature: 0.1") == 3  # of both teachers and of the section
    assert "answers_of_each_model: 100" in out


def test_rounds_are_told_apart_in_tables_and_file(reasonmill, tmp_path):
    status, out, _ = reasonmill(*BOTH, "--rounds", "2", "--samples", "4")
    assert status == 0
    content = orjson.loads((tmp_path / "out" / "evaluation.json").read_bytes())
    assert [row["round"] for row in content["results"]] == [1, 2] * 4
    assert {(row["from_round"], row["to_round"]) for row in content["rounds"]} == {(1, 2)}
    for name in ("good", "poor"):
        changes = [row for row in content["rounds"] if row["name"] == name and row["benchmark"] == "sums"]
        assert sum(row["num_samples"] for row in changes if row["kind"] != "all") == 80
    assert "good, round 2" in out
    assert "| good | sums | 1 → 2 | I-C |" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--questions", "sums.jsonl", "--output", "e.json"), "--model is missing"),
        (("--model", "nowhere", "--questions", "sums.jsonl", "--output", "e.json"), "'nowhere' does not exist"),
        (("recipe.yaml", "--questions", "none.jsonl", "--output", "e.json"), "none.jsonl"),
        (("recipe.yaml", "--output", "e.json"), "no file of questions"),
        (("recipe.yaml", "--questions", "sums.jsonl", "--output", "."), "is a folder"),
        (("recipe.yaml", "--questions", "sums.jsonl", "--output", "sums.jsonl"), "would be overwritten"),
        (("recipe.yaml", "--questions", "a=sums.jsonl", "--output", "sums.jsonl"), "would be overwritten"),
        (("recipe.yaml", "--questions", "sums.jsonl", "--output", "e.md"), "evaluation.json"),
        ((*BOTH, "--set", "temprature=1"), "did you mean 'evaluate.temperature'"),
        ((*BOTH, "--set", "temperature=3"), "temperature: 3.0 is outside"),
        ((*BOTH, "--rounds", "0"), "rounds: 0 is not positive"),
        ((*BOTH, "--samples", "0"), "samples_per_question: 0 is not positive"),
        ((*BOTH, "teachrs.0.name=x"), "teachrs"),
        (("x.y=1", "--model", "a", "--questions", "sums.jsonl", "--output", "e.json"), "no recipe"),
        ((*BOTH, "--base-url", "ftp://x", "--model", "m"), "ftp://x"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(reasonmill, arguments, said):
    status, _, err = reasonmill(*arguments)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_one_address_need_be_no_list(reasonmill):
    command = ("--questions", "sums.jsonl", "--output", "e.json", "--dry-run", "--set")
    status, out, _ = reasonmill(*command, "base_url=http://127.0.0.1:9/v1")
    assert status == 0
    assert "127.0.0.1:9/v1:" in out


def test_two_models_of_one_folder_need_names(reasonmill, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"")
    command = ("--questions", "sums.jsonl", "--output", "e.json", "--dry-run", "--model")
    assert reasonmill(*command, "m", "m")[0] == 2
    status, out, _ = reasonmill(*command, "first=m", "m")
    assert status == 0
    assert "first:" in out


def test_refusals_alone_are_no_score(reasonmill, tmp_path):
    (tmp_path / "words.jsonl").write_bytes(orjson.dumps({"prompt": "How many are there?", "answer": "7"}))
    status, out, err = reasonmill("recipe.yaml", "--questions", "words.jsonl", "--output", "refused.json")
    assert status == 1
    assert "good on words: every question was refused: that is no score" in err
    assert "pass@1" not in out
    assert not (tmp_path / "refused.json").exists()
