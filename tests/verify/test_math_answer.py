from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.math_answer import Comparison, check_answer, compare
from reasonmill.verify.math_text import normal_form, numbers_equal, parse_number
from reasonmill.verify.verdict import Verdict


def _verdict(response, gold):
    return check_answer(response, gold, max_answer_chars=2000)


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("420", "420", True),
        ("420", "421", False),
        ("1,234", "1234", True),
        (r"10,\!080", "10080", True),
        ("32349", "32, 349", None),
        ("12", "1 2", None),
        (r"\frac{1}{2}", r"\dfrac12", True),
        (r"\frac{1}{2}", "1/2", True),
        (r"\frac{1}{2}", "0.5", True),
        (r"\frac{1}{3}", "0.333333", True),
        (r"\frac{1}{3}", "0.33", False),
        ("0.5", r"50\%", True),
        ("50", r"50\%", True),
        ("5.3", r"5.3\%", True),
        ("50", r"0.5\%", False),
        ("1e-5", "0.00001", True),
        (r"1.2\times10^{5}", "120000", True),
        (r"5\text{ cm}", "5", True),
        (r"5\text{ cm}", r"5\text{ km}", False),
        (r"\$5", "5", True),
        (r"90^\circ", "90", True),
        ("-3", "- 3", True),
        ("B", "(B)", True),
        (r"\text{(C)}", "C", True),
        ("B", "(C)", False),
        ("B", "42", False),
        (r"\text{Friday}", "friday", True),
        ("east", "seat", False),
        ("x^2", "x ^ 2", True),
        ("x", "y", None),
        ("4343_6", "4343", None),
    ],
)
def test_cheap_rules_decide_what_they_can(gold, answer, equal):
    found = compare(gold, answer, max_answer_chars=2000)
    if equal is None:
        assert isinstance(found, Comparison)
    else:
        assert isinstance(found, Verdict)
        assert (found.outcome == "pass") is equal


def test_tiny_numbers_that_differ_are_different():
    assert not numbers_equal(parse_number("1e-30"), parse_number("2e-30"))
    assert numbers_equal(parse_number("1e-30"), parse_number("0.1e-29"))


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_whole_numbers_are_equal_only_to_themselves(a, b):
    assert numbers_equal(parse_number(str(a)), parse_number(str(b))) is (a == b)
    assert parse_number(f"{a:,}").value == a


@given(st.fractions(), st.sampled_from([r"\frac{%d}{%d}", r"\dfrac{%d}{%d}"]))
def test_a_fraction_is_read_exactly(value, pattern):
    assert parse_number(pattern % (value.numerator, value.denominator)).value == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_read_exactly(value):
    assert parse_number(f"{value:f}").value == Fraction(value)


@given(st.text(max_size=60))
def test_the_normal_form_is_one_for_any_text_and_equal_to_itself(text):
    normal_form(text)
    found = compare(text or "x", text or "x", max_answer_chars=2000)
    assert isinstance(found, Comparison) or found.outcome == "pass"


def test_reasoning_alone_never_counts():
    assert _verdict(r"<think>it is \boxed{4}", "4").reason == "unfinished"
    assert _verdict(r"<think>it is \boxed{4}</think>", "4").reason == "no_answer"
    assert _verdict(r"<think>it is \boxed{4}</think>\boxed{5}", "4").reason == "wrong_answer"


def test_the_last_box_of_the_answer_counts():
    assert _verdict(r"\boxed{4} or rather \boxed{5}", "5").outcome == "pass"
    assert _verdict(r"\boxed{4} or rather \boxed{5}", "4").outcome == "fail"


def test_an_answer_of_two_values_needs_both():
    assert _verdict(r"\boxed{2} and \boxed{3}", "2, 3").outcome == "pass"
    assert _verdict(r"\boxed{3}", "2,3") == Comparison(gold="2,3", answer="3")


def test_a_gold_may_be_a_whole_solution():
    assert _verdict("<answer>72</answer>", "He sold 48 + 24.\n#### 72").outcome == "pass"
    assert _verdict("<answer>72</answer>", r"so it is $\boxed{72}$").outcome == "pass"


def test_a_missing_gold_is_no_score():
    verdict = _verdict(r"\boxed{4}", " ")
    assert (verdict.outcome, verdict.reason, verdict.transient) == ("not_run", "unverifiable_gold", False)


def test_an_endless_answer_is_wrong_without_being_parsed():
    assert _verdict("\\boxed{x+" + "1+" * 5000 + "1}", "x").reason == "wrong_answer"
