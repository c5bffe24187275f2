"""Rows of evaluation sets as they are published, in our own words."""

import orjson
import pytest

from reasonmill.engine.evaluate.question_rows import question_of_row
from reasonmill.engine.evaluate.questions import distinct_names, read_benchmarks, read_questions
from reasonmill.engine.evaluate.settings import EvaluateSettings


def write(path, rows):
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "prompt", "truth", "category"),
    [
        ({"question": "1+1?", "answer": "so\n#### 2"}, "1+1?", "2", "math"),
        ({"problem": "1+1?", "answer": 2.0}, "1+1?", "2", "math"),
        (
            {"problem": "1+1?", "solution": r"It is \boxed{1} or rather \boxed{\frac{4}{2}}."},
            "1+1?",
            r"\frac{4}{2}",
            "math",
        ),
        ({"question": "roots?", "final_answer": ["1", "2"]}, "roots?", "1, 2", "math"),
        ({"Question": "Is it?", "Answer": True}, "Is it?", "True", "math"),
        ({"prompt": "q", "ground_truth": "0", "answer": "9"}, "q", "0", "math"),
        ({"question": "q", "answer": 0}, "q", "0", "math"),
        ({"question": "q", "choices": ["x", "y"], "answer": 1}, "q\n\nA) x\nB) y", "B", "science"),
        ({"question": "q", "options": ["x", "y"], "answer": "A"}, "q\n\nA) x\nB) y", "A", "science"),
        ({"question": "q", "choices": {"text": ["x", "y"]}, "answer": "y"}, "q\n\nA) x\nB) y", "B", "science"),
        ({"prompt": [{"role": "user", "content": "q"}], "reward_model": {"ground_truth": "3"}}, "q", "3", "math"),
    ],
)
def test_question_and_reference_are_found_under_their_many_names(row, prompt, truth, category):
    query = question_of_row(row, source="s")
    assert (query.prompt, query.ground_truth, query.category) == (prompt, truth, category)


def test_constraints_and_tests_become_what_the_verifiers_take():
    query = question_of_row({"key": 7, "prompt": "p", "instruction_id_list": ["a:b"], "kwargs": [{}]}, source="s")
    assert (query.id, query.category) == ("7", "if")
    assert query.instruction_constrain == {"instruction_id_list": ["a:b"], "kwargs": [{}]}
    row = {"task_id": "T/1", "prompt": "def f():\n", "entry_point": "f", "test": "def check(c):\n    assert c() == 1"}
    query = question_of_row(row, source="s")
    assert (query.id, query.category) == ("T/1", "code")
    assert query.test_case == {"call_type": "assert", "fn_name": "f", "assert_case": [row["test"]]}
    assert "def f():" in query.prompt


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "2"}, "no question"),
        ({"question": "1+1?"}, "no reference answer"),
        ({"question": "1+1?", "answer": "  "}, "no reference answer"),
        ({"prompt": "p", "category": "code"}, "no test_case"),
        ({"prompt": "p", "category": "if"}, "no instruction_constrain"),
        ({"prompt": "p", "category": "cooking", "answer": "x"}, "cooking"),
        ({"prompt": " ", "answer": "x"}, "the question is empty"),
    ],
)
def test_a_row_that_could_not_be_judged_is_refused_with_what_it_lacks(row, message):
    with pytest.raises(ValueError, match=message):
        question_of_row(row, source="s")


def test_chat_needs_no_reference():
    assert question_of_row({"prompt": "Tell me a story.", "category": "other"}, source="s").ground_truth is None


def test_every_bad_row_is_named_up_to_three(tmp_path):
    rows = [{"question": "q", "answer": "1"}, *({"question": f"q{i}"} for i in range(7))]
    with pytest.raises(ValueError, match=r"b\.jsonl:2: no reference.*b\.jsonl:4: .*; and 4 more"):
        read_questions([write(tmp_path / "b.jsonl", rows)])


def test_a_question_that_stands_twice_is_asked_twice_under_two_ids(tmp_path):
    path = write(tmp_path / "b.jsonl", [{"question": "q", "answer": "1"}] * 2)
    first, second = read_questions([path])
    assert second.id == f"{first.id}#2"


def test_each_file_is_a_benchmark_with_samples_by_its_name(tmp_path):
    rows = [{"question": "q", "answer": "1"}]
    files = [write(tmp_path / name, rows) for name in ("AIME_2024.jsonl", "math-500.jsonl", "x.jsonl")]
    settings = EvaluateSettings(samples={"aime": 64, "math": 3, "math500": 4}, samples_per_question=2)
    named = read_benchmarks([*files[:2], f"mine={files[2]}"], settings)
    assert [(one.name, one.samples_per_question) for one in named] == [("AIME_2024", 64), ("math-500", 4), ("mine", 2)]


def test_two_benchmarks_of_one_name_are_refused(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"question": "q", "answer": "1"}])
    with pytest.raises(ValueError, match="two benchmarks are named 'a'"):
        read_benchmarks([path, path], EvaluateSettings())


def test_names_hold_as_many_folders_as_tell_them_apart():
    assert distinct_names(["/runs/a/student", "/runs/b/student", "/x/teacher"]) == ["a/student", "b/student", "teacher"]
    assert distinct_names(["/sets/aime24.v2.jsonl.zst"]) == ["aime24.v2"]
