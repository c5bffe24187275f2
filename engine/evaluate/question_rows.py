"""Rows of evaluation sets as people publish them: the question under one of many names, the reference too.

What `reasonmill run` takes is taken here; besides, GSM8K's `answer` after `####`, a worked `solution` with a box,
several choices with the letter or number of the right one, IFEval's constraints, HumanEval's and MBPP's tests.
"""

from collections.abc import Mapping
from typing import Any

from reasonmill.engine.records import Query
from reasonmill.engine.store.published import (
    ANSWERS,
    QUESTIONS,
    answer_of,
    choices_of,
    final_answer,
    letter_of,
    question_of,
)
from reasonmill.engine.store.readers import query_from_json
from reasonmill.verify.boxes import last_boxed

TRUTHS = (*ANSWERS, "target")
IDS = ("id", "unique_id", "task_id", "question_id", "global_id", "key")


def question_of_row(value: Mapping[str, Any], *, source: str) -> Query:
    """The question of a row. Raises ValueError that says what is missing: the question, or what verifies an answer."""
    row: dict[str, Any] = dict(value)
    if row.get("id") in (None, ""):
        row["id"] = next((row[key] for key in IDS if row.get(key) not in (None, "")), None)
    if isinstance(row.get("prompt"), list):  # verl's layout
        row["messages"] = row.pop("prompt")
    if not any(row.get(key) is not None for key in ("prompt", "messages", "conversations")):
        row["prompt"] = question_of(row)
        if row["prompt"] is None:
            raise ValueError(f"no question: none of messages, conversations, {', '.join(QUESTIONS)}")
    _read_tests(row)
    category = "math"
    if row.get("test_case") not in (None, ""):
        category = "code"
    elif row.get("instruction_constrain") not in (None, ""):
        category = "if"
    elif choices_of(row) is not None:
        category = "science"
    row["ground_truth"] = _truth(row)
    query = query_from_json(row, category=category, source=source)
    _check_verifiable(query)
    return query


def _read_tests(row: dict[str, Any]) -> None:
    """HumanEval's `test` and `entry_point`, MBPP's `test_list`, IFEval's ids and arguments in the released form."""
    if row.get("test_case") in (None, "") and isinstance(row.get("test"), str) and row.get("entry_point"):
        row["test_case"] = {"call_type": "assert", "fn_name": row["entry_point"], "assert_case": [row["test"]]}
        row["category"] = row.get("category") or "code"
        row["prompt"] = f"Complete this function and give the whole program:\n```python\n{row['prompt']}```"
    tests = row.get("test_list")
    if row.get("test_case") in (None, "") and isinstance(tests, list) and tests:
        imports = row.get("test_imports") or []
        row["test_case"] = {"call_type": "assert", "fn_name": None, "assert_case": [*imports, *tests]}
        row["prompt"] = f"{row['prompt']}\nYour program should pass this test:\n{tests[0]}"
    if row.get("instruction_constrain") in (None, "") and isinstance(row.get("instruction_id_list"), list):
        row["instruction_constrain"] = {
            "instruction_id_list": row["instruction_id_list"],
            "kwargs": row.get("kwargs") or [{} for _ in row["instruction_id_list"]],
        }


def _truth(row: Mapping[str, Any]) -> Any:
    """The reference, of choices the letter; what a benchmark calls its answer is one, however long it is."""
    truth = answer_of(row, TRUTHS)
    choices = choices_of(row)
    if choices is not None:
        truth = letter_of(truth, choices)
    if truth is None and isinstance(row.get("solution"), str):
        return last_boxed(row["solution"])
    return final_answer(truth)


def _check_verifiable(query: Query) -> None:
    if not any(turn.content.strip() for turn in query.messages if turn.role == "user"):
        raise ValueError("the question is empty")
    if query.category in ("math", "science") and not (query.ground_truth or "").strip():
        raise ValueError(f"no reference answer: none of {', '.join(TRUTHS)}, and no solution with a box")
    if query.category == "code" and query.test_case is None:
        raise ValueError("no test_case, which answers of category code are judged by")
    if query.category == "if" and query.instruction_constrain is None:
        raise ValueError("no instruction_constrain, which answers of category if are judged by")
