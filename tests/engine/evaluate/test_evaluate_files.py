"""Files to files, with the embedded teacher in vLLM: two models one after the other in one engine process."""

import asyncio
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.embedded import TINY_TEACHER
from reasonmill.engine.evaluate.files import evaluate_files
from reasonmill.engine.evaluate.questions import read_questions
from reasonmill.engine.evaluate.settings import EvaluateSettings


def write_questions(path: Path, count: int = 8) -> Path:
    rows = [{"prompt": f"What is {i + 11} + {i + 22}?", "ground_truth": str(2 * i + 33)} for i in range(count)]
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return path


def test_models_times_questions_make_evaluation_json(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in TINY_TEACHER.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    settings = EvaluateSettings(samples_per_question=2, max_tokens=200, max_model_len=256, max_num_seqs=16)
    output = tmp_path / "evaluation.json"
    questions = write_questions(tmp_path / "questions.jsonl")
    results = asyncio.run(evaluate_files([TINY_TEACHER, copy], [questions], output, settings, seed=3))
    written = orjson.loads(output.read_bytes())["results"]
    assert [(row["role"], row["name"]) for row in written] == [("model", TINY_TEACHER.name), ("model", "copy")]
    assert [row["pass_at_1"] for row in written] == [result.pass_at_1 for result in results]
    for result in results:
        assert result.pass_at_1 is not None
        assert result.pass_at_1 > 0.2
        assert (result.num_questions, result.samples_per_question, result.num_unchecked) == (8, 2, 0)


def test_a_folder_that_is_no_model_is_refused_before_anything_starts(tmp_path: Path) -> None:
    questions = write_questions(tmp_path / "questions.jsonl")
    with pytest.raises(ValueError, match="does not exist"):
        asyncio.run(evaluate_files([tmp_path / "none"], [questions], tmp_path / "e.json", EvaluateSettings()))
    assert not (tmp_path / "e.json").exists()


def test_rows_without_a_category_are_math(tmp_path: Path) -> None:
    assert {q.category for q in read_questions([write_questions(tmp_path / "q.jsonl")])} == {"math"}


def test_a_limit_takes_the_first_questions(tmp_path: Path) -> None:
    path = write_questions(tmp_path / "q.jsonl")
    assert read_questions([path], limit=3) == read_questions([path])[:3]


def test_a_row_that_is_no_question_is_named_and_not_left_out(tmp_path: Path) -> None:
    path = write_questions(tmp_path / "q.jsonl")
    path.write_bytes(path.read_bytes() + b"\n{}\n")
    with pytest.raises(ValueError, match=r"q\.jsonl:9"):
        read_questions([path])


def test_no_question_at_all_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"q\.jsonl"):
        read_questions([tmp_path / "q.jsonl"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", 0), ("samples_per_question", 0), ("max_tokens", 0), ("max_num_seqs", 0), ("prompts", "rude")],
)
def test_a_wrong_setting_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        EvaluateSettings(**{field: value})  # type: ignore[arg-type]
