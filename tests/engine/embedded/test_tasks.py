import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.embedded.arithmetic import addition_steps, chain_trace, maximum_trace, subtraction_steps
from reasonmill.engine.embedded.questions import WorkedQuestion, words_of
from reasonmill.engine.embedded.tasks import MIX, mixed_questions, worked_questions


def recomputed(question: WorkedQuestion) -> int:
    """The answer from the text of the question alone."""
    numbers = [int(number) for number in re.findall(r"\d+", question.question)]
    match question.task:
        case "addition":
            return sum(numbers)
        case "maximum":
            return max(numbers)
        case "modular":
            a, b, modulus = numbers
            return (a * b) % modulus
        case "chain_sum" | "basic_arithmetic":
            signed = "".join(re.findall(r"[\d+-]", re.split(r":|Calculate", question.question)[1]))
            return sum(int(term) for term in re.findall(r"[+-]?\d+", signed))
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("task", MIX)
def test_golds_are_right_and_traces_end_in_them(task: str) -> None:
    for question in itertools.islice(worked_questions(task, seed=11), 400):
        assert int(question.gold) == recomputed(question), question
        assert question.trace.endswith(f"So {question.gold}."), question
        assert question.response == f"<think>{question.trace}</think><answer>\\boxed{{{question.gold}}}</answer>"


@pytest.mark.parametrize("task", MIX)
def test_every_equation_of_a_trace_holds(task: str) -> None:
    for question in itertools.islice(worked_questions(task, seed=12), 200):
        equations = re.findall(r"([\d+*-]+)=(-?\d+)", question.trace)
        assert equations or task == "maximum"
        for left, right in equations:
            is_product = "*" in left
            value = math.prod(map(int, left.split("*"))) if is_product else sum(map(int, re.findall(r"-?\d+", left)))
            assert value == int(right), (left, right, question)


def test_the_same_seed_gives_the_same_questions_and_another_seed_others() -> None:
    def first(seed: int) -> list[WorkedQuestion]:
        return list(itertools.islice(mixed_questions(seed=seed), 60))

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_a_mix_holds_every_task_in_its_share() -> None:
    tasks = [question.task for question in itertools.islice(mixed_questions(seed=5), 3000)]
    assert abs(sum(MIX.values()) - 1.0) < 1e-9
    for task, share in MIX.items():
        assert abs(tasks.count(task) / len(tasks) - share) < 0.04


def test_an_unknown_task_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'division' is none of"):
        worked_questions("division", seed=0)


@given(st.integers(0, 999), st.integers(0, 999))
def test_the_last_digits_of_the_columns_are_the_digits_of_the_result(a: int, b: int) -> None:
    def written(steps: str) -> str:
        *lower, top = re.findall(r"=(\d+)", steps)
        return top + "".join(column[-1] for column in reversed(lower))

    assert int(written(addition_steps(a, b))) == a + b
    assert int(written(subtraction_steps(max(a, b), min(a, b)))) == abs(a - b)


def test_columns_are_written_as_shown() -> None:
    assert addition_steps(345, 67) == "345+067. ones: 5+7=12 carry. tens: 4+7=11 carry. hundreds: 3+1=4."
    assert subtraction_steps(404, 287) == "404-287. ones: 14-7=7 borrow. tens: 10-9=1 borrow. hundreds: 4-3=1."
    assert chain_trace(5, (("-", 1), ("+", 4))) == "5-1. ones: 5-1=4. So 4. 4+4. ones: 4+4=8. So 8."
    assert maximum_trace((28, 3, 45)) == "28 or 3? 28. 28 or 45? 45. So 45."


@given(st.lists(st.integers(0, 999), min_size=1, max_size=6))
def test_the_running_maximum_ends_in_the_maximum(numbers: list[int]) -> None:
    assert maximum_trace(tuple(numbers)).endswith(f"So {max(numbers)}.")


def test_words_leave_symbols_out() -> None:
    assert words_of("What is 4 + 3 - 1?") == words_of("what is 4 - 3 + 1") == ("what", "is", "4", "3", "1")
