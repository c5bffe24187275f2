"""Options that take several values: none given is a mistake, given again they add up, and settings may stand behind."""

from pathlib import Path

import orjson
import pytest

from reasonmill.engine.cli import run_command

QUESTIONS = [f"How many lamps are left on day {n} of {n + 3} if {n * n} of them are sold?" for n in range(120)]


def write(path: Path, key: str, texts: list[str]) -> str:
    path.write_bytes(b"".join(orjson.dumps({key: text}) + b"\n" for text in texts))
    return str(path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["curate", "--queries", "q.jsonl", "--against", "--output-dir", "out"],
        ["curate", "--queries", "--output-dir", "out"],
        ["curate", "--queries", "q.jsonl", "--output-dir", "out", "--against", "near_duplicate_threshold=0.9"],
        ["curate", "--queries", "q.jsonl", "--output-dir", "out", "--index"],
        ["calibrate", "--queries", "q.jsonl", "--against", "--output", "p.json"],
        ["evaluate", "--model", "--questions", "q.jsonl", "--output", "e.json"],
        ["evaluate", "--model", "m", "--questions", "--output", "e.json"],
        ["evaluate", "--model", "m", "--questions", "q.jsonl", "--output", "e.json", "--base-url"],
        ["pack", "recipe.yaml", "--input", "--output-dir", "out"],
        ["simulate-teacher", "--write-queries", "q.jsonl", "--categories"],
    ],
)
def test_an_option_without_its_values_is_a_mistake_that_names_it(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run_command(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "expected" in said
    assert any(f"argument {option}" in said for option in arguments if option.startswith("--"))
    assert list(tmp_path.iterdir()) == []


def test_options_given_again_add_up_and_settings_may_stand_behind_them(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.jsonl", "question", QUESTIONS[60 * n : 60 * n + 60]) for n in range(2)]
    sets = [write(tmp_path / f"set{n}.jsonl", "problem", [QUESTIONS[70 * n + 3]]) for n in range(2)]
    arguments = [part for file in files for part in ("--queries", file)]
    arguments += ["--against", sets[0], "--against", f"second={sets[1]}"]
    out = tmp_path / "out"
    assert (
        run_command(
            ["curate", *arguments, "embeddings.enabled=false", "decontaminate.ngram=6", "--output-dir", str(out)]
        )
        == 0
    )
    counts = orjson.loads((out / "counts.json").read_bytes())
    assert counts["read"] == 120
    assert counts["reasons"] == {"decontaminate/contaminated_containment": 2}
    removed = [orjson.loads(line)["evidence"] for line in (out / "removed.jsonl").read_bytes().splitlines()]
    assert [evidence["evaluation_set"] for evidence in removed] == ["set0", "second"]
