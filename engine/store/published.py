"""Rows as data sets are published: under which keys a question and its reference answer stand.

Queries, evaluation sets and benchmarks are all read by these lists. A reference is taken where a row says plainly which
it is; a worked text without one is no reference, and none is guessed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reasonmill.verify.boxes import last_boxed

QUESTIONS = ("prompt", "question", "problem", "query", "instruction", "Question", "Problem")  # the first with words
ANSWERS = ("ground_truth", "answer", "gold", "final_answer", "expected_answer", "reference_answer", "Answer")
WORKED = ("solution", "Solution")  # whose last box is the answer
_LONGEST_ANSWER = 200  # characters of one line; what is longer is a worked answer
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ANSWER_KEYS = (*ANSWERS[1:], *WORKED, "reward_model")  # looked at where there is no ground truth
QUESTION_KEYS = (*QUESTIONS[1:], "input", "choices", "options")  # of a row without prompt and messages, or beside them


def question_of(row: Mapping[str, Any], keys: Sequence[str] = QUESTIONS) -> str | None:
    """Text under the first of the keys that holds words, or else text at all; None where none does.

    Alpaca's `input` stands behind its `instruction`.
    """
    blank = None
    for key in keys:
        text = row.get(key)
        if not isinstance(text, str):
            continue
        if text and not text.isspace():
            more = row.get("input") if key == "instruction" else None
            return f"{text}\n\n{more}" if isinstance(more, str) and more.strip() else text
        blank = text if blank is None else blank
    return blank


def choices_of(row: Mapping[str, Any]) -> list[str] | None:
    """The answers to choose from."""
    found = row.get("choices") or row.get("options")
    if isinstance(found, Mapping):  # Hugging Face's {"label": [...], "text": [...]}
        found = found.get("text")
    if isinstance(found, list) and 1 < len(found) <= len(_LETTERS) and all(isinstance(one, str) for one in found):
        return found
    return None


def with_choices(question: str, choices: Sequence[str]) -> str:
    """The question with its lettered choices behind it, unless they stand there with their letters."""
    lettered = [(letter, text.strip()) for letter, text in zip(_LETTERS, choices, strict=False)]
    if all(re.search(rf"\b{letter}[).:]\s*{re.escape(text)}", question) for letter, text in lettered):
        return question
    named = all(re.match(rf"\(?{letter}[).:]", text) for letter, text in lettered)  # AQuA's have their letters
    lines = (text if named else f"{letter}) {text}" for letter, text in lettered)
    return question + "\n\n" + "\n".join(lines)


def letter_of(answer: Any, choices: Sequence[str]) -> Any:
    """The letter of the right choice in place of its number or text; what is neither stays."""
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices):
        return _LETTERS[answer]
    if answer in choices:
        return _LETTERS[list(choices).index(answer)]
    return answer


def answer_of(row: Mapping[str, Any], keys: Sequence[str] = ANSWERS) -> Any:
    """What stands under the first of the keys that holds something, or in verl's `reward_model`; else None."""
    model = row.get("reward_model")
    rows = (row, model) if isinstance(model, Mapping) else (row,)
    return next((one[key] for one in rows for key in keys if one.get(key) not in (None, "", [])), None)


def final_answer(answer: Any) -> Any:
    """An answer as verifiers take it: what stands behind GSM8K's `####`, several as one list, 2.0 as 2."""
    if isinstance(answer, list):
        return ", ".join(str(one) for one in answer)
    if isinstance(answer, str) and "####" in answer:
        return answer.rpartition("####")[2].strip()
    if isinstance(answer, float) and answer.is_integer():
        return int(answer)
    return answer


def reference_of(row: Mapping[str, Any]) -> str | None:
    """The reference answer of a query that has no `ground_truth`, None where the row does not plainly say one."""
    if row.keys().isdisjoint(ANSWER_KEYS):
        return None
    answer = answer_of(row)
    choices = choices_of(row)
    if choices is not None:
        letter = letter_of(answer, choices)
        return letter if isinstance(letter, str) and letter in list(_LETTERS[: len(choices)]) else None
    if isinstance(answer, str) and "####" not in answer and not _is_plain(answer):
        answer = last_boxed(answer)
    answer = final_answer(answer)
    if answer is None:
        answer = next((last_boxed(row[key]) for key in WORKED if isinstance(row.get(key), str)), None)
    if not isinstance(answer, str | int | float) or not str(answer).strip():
        return None
    return str(answer)


def _is_plain(answer: str) -> bool:
    """Whether it is an answer alone: one line, and no box in a sentence around it."""
    text = answer.strip()
    return "\n" not in text and len(text) <= _LONGEST_ANSWER and "\\boxed" not in text
