"""Answers in words: spelled numbers, times and dates, several choices, names of the empty set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.clock import same_moment
from reasonmill.verify.math_answer import decide
from reasonmill.verify.number_words import worded_number
from reasonmill.verify.wording import same_wording

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: E501, SIM905
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905


def _spelled(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {_spelled(number % size)}" if number % size else ""
            return f"{_spelled(number // size)} {name}{rest}"
    raise AssertionError(number)


@given(st.integers(0, 10**9 - 1))
def test_a_spelled_number_is_read_back(number):
    assert worded_number(_spelled(number)) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("minus six", "-6"), ("two thirds", "2/3"), ("one half", "1/2"), ("six and a half", "13/2"),
        ("a quarter", "1/4"), ("1.5 million", "1500000"), ("十二", "12"), ("二十一", "21"), ("一百零五", "105"),
        ("二分之一", "1/2"), ("one hundred and five", "105"),
        ("six or seven", None), ("sixth", None), ("twenty ten", None), ("six hundred thousand thousand", None),
        ("", None), ("and", None), ("point", None), ("two five", None), ("十十", None), ("hundred", None),
    ],
)  # fmt: skip
def test_words_are_a_number_or_none(text, value):
    found = worded_number(text)
    assert (None if found is None else str(found)) == value


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("10:30 a.m.", "10:30 AM", True),
        ("10:30 a.m.", r"10\text{:}30\text{ AM}", True),
        ("10:30 a.m.", "10:30", True),
        ("10:30 a.m.", "10:30 PM", False),
        ("10:30 a.m.", "22:30", False),
        ("3:45 p.m.", "15:45", True),
        ("12:00 PM", "noon", True),
        ("12:00 AM", "noon", False),
        ("8 AM", "8:00 am", True),
        ("3:45", "3:45 PM", True),
        ("3:45", "4:45 PM", False),
        ("3:4", "3/4", None),
        ("7:05", "7/5", False),
        ("May 5", "5 May", True),
        ("May 5", "May 5th", True),
        ("May 5", "Yam 5", False),
        ("March 3, 2024", "2024-03-03", True),
        ("March 3, 2024", "March 3, 2023", False),
        ("2024-01-15", "2008", False),
        ("2024-01-15", "2024-01-16", False),
        ("May 5", "5", False),
        ("42", "May 5", None),
    ],
)
def test_times_and_dates_are_compared_as_such(gold, answer, same):
    assert same_moment(gold, answer) is same


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("six", "6", True),
        ("6", "six", True),
        ("6", "sixteen", False),
        ("6", "six hundred", False),
        ("A, C", "AC", True),
        ("A, C", "(C) and (A)", True),
        ("A, C", "A, B", False),
        ("AC", "CA", None),
        ("①③", "①，③", True),
        ("②①③", "①②③", False),
        (r"\emptyset", "no solution", True),
        (r"\text{no solution}", r"\varnothing", True),
        (r"\emptyset", "0", None),
        (r"\emptyset", "infinitely many", False),
        ("DNE", "does not exist", True),
        ("Yes", "Yes, it converges", True),
        ("Yes", "No, it does not", False),
        ("Yes", "yes or no", None),
        ("parabola", "a parabola", True),
        (r"\frac{n}{2}", r"\frac{N}{2}", None),
        ("3:4", "3 to 4", True),
        ("3:4", "4 to 3", False),
    ],
)
def test_words_are_compared_by_what_they_mean(gold, answer, same):
    assert same_wording(gold, answer) is same


@pytest.mark.parametrize(
    "piece", ["B ", "A, ", "one ", "twenty-", "百", "5 m ", "1:", "①", "x<", ".or ", "\\cup°", "\\text{"]
)
def test_an_answer_of_words_that_repeat_is_decided_in_one_go(piece):
    for gold in ("A, C", "5", "(2,5]", "two"):
        for size in (119, 299, 999):
            assert decide(gold, (piece * size)[:size]) is not True
