"""Queries under the keys of published data sets, with the references that their rows plainly say."""

import pytest

from reasonmill.engine.store.readers import query_from_json


@pytest.mark.parametrize(
    ("row", "prompt", "truth"),
    [
        ({"question": "1+1?", "answer": "It is <<1+1=2>>2.\n#### 2"}, "1+1?", "2"),
        ({"question": "1+1?", "answer": "1,234"}, "1+1?", "1,234"),
        ({"problem": "1+1?", "solution": r"So \boxed{2}.", "level": "1", "type": "Algebra"}, "1+1?", "2"),
        ({"problem": "1+1?", "solution": r"So \boxed{2}.", "answer": "2.0", "unique_id": "u"}, "1+1?", "2.0"),
        ({"problem": "1+1?", "solution": "So it is two."}, "1+1?", None),
        ({"ID": 1, "Problem": "1+1?", "Solution": "…", "Answer": 2}, "1+1?", "2"),
        ({"Question": "Is it?", "Answer": True}, "Is it?", "True"),
        ({"question": "roots?", "final_answer": ["1", "2"]}, "roots?", "1, 2"),
        ({"query": "1+1?", "response": "The answer is: 2"}, "1+1?", None),
        ({"instruction": "Translate.", "input": "Guten Tag", "output": "Hello"}, "Translate.\n\nGuten Tag", None),
        ({"instruction": "Name a river.", "input": "", "output": "Ebro"}, "Name a river.", None),
        ({"prompt": "a", "question": "b"}, "a", None),
        ({"prompt": None, "question": "b"}, "b", None),
        ({"prompt": " ", "problem": "b"}, "b", None),
        ({"question": {"stem": "a"}, "problem": "b"}, "b", None),
        ({"prompt": [{"role": "user", "content": "q"}], "reward_model": {"ground_truth": "3"}}, "q", "3"),
        ({"question": "q", "ground_truth": "0", "answer": "9"}, "q", "0"),
        ({"question": "q", "ground_truth": "", "answer": "9"}, "q", "9"),
        ({"question": "q", "choices": ["x", "y"], "answer": 1}, "q\n\nA) x\nB) y", "B"),
        ({"question": "q", "options": ["A)x", "B)y"], "answer": "B"}, "q\n\nA)x\nB)y", "B"),
        ({"question": "q\n(A) x (B) y", "options": ["x", "y"], "answer": "x"}, "q\n(A) x (B) y", "A"),
        ({"question": "q", "choices": ["x", "y"], "answer": 7}, "q\n\nA) x\nB) y", None),
    ],
)
def test_a_published_row_is_read_with_the_reference_that_it_says(
    row: dict[str, object], prompt: str, truth: str | None
) -> None:
    query = query_from_json(row, category="math")
    assert (query.prompt, query.ground_truth) == (prompt, truth)


@pytest.mark.parametrize(
    "answer",
    ["First we add.\nThen it is 2.", "We add one and one and so it goes on. " * 10, "", "  ", [], {"value": 2}],
)
def test_a_worked_text_is_no_reference(answer: object) -> None:
    assert query_from_json({"question": "1+1?", "answer": answer}).ground_truth is None


def test_the_box_of_a_worked_answer_is_its_reference() -> None:
    assert query_from_json({"question": "q", "answer": "We add.\nIt is \\boxed{2}."}).ground_truth == "2"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"answer": "2", "level": 5},
            r"no messages, conversations, prompt, question, problem, .*\['answer', 'level'\]",
        ),
        ({"question": 5}, "question is int, expected text"),
        ({"prompt": ["not", "turns"]}, "prompt is list, expected text"),
        ({"text": "a whole conversation, perhaps"}, "no messages"),
        ({"output": "only an answer", "input": "and what it is of"}, "no messages"),
    ],
)
def test_a_row_without_a_question_is_told_which_keys_would_do(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        query_from_json(row)
