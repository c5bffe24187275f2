"""Words, dates, numerals, money and units are compared as what they are, not as products and differences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.math_answer import decide
from reasonmill.verify.math_literals import same_literal

DIFFERENT = [
    ("tac", "cat"), ("ACB", "ABC"), ("on", "no"), ("saw", "was"), ("RLU", "LUR"), ("cat dog", "dog cat"),
    ("\\text{tac}", "cat"), ("1 2 3", "3 2 1"), ("2024-03-05", "2024-05-03"), ("1-2-3", "1-3-2"), ("1:2:3", "1:3:2"),
    ("11_2", "11_3"), ("11_{2}", "11_{16}"), ("0b11", "0b10"), ("0x1F", "0x1E"), ("4 km", "4 m"), ("4 km", "4 kg"),
    ("5\\%", "\\$5"), ("\\$5", "5\\%"), ("30 min", "30 s"),
]  # fmt: skip
SAME = [
    ("cat", "cat"), ("Paris", "paris"), ("yes", "true"), ("2024-03-05", "2024-3-5"), ("1 2 3", "1  2 3"),
    ("11_2", "3_{10}"), ("0b11", "0b011"), ("0xff", "0xFF"), ("4 km", "4000 m"), ("1.5 h", "90 min"),
    ("5\\%", "5\\%"), ("\\$5", "\\$5"), ("\\$5", "5"), ("5\\%", "5"), ("x=5", "5"), ("2x", "2x"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_what_algebra_would_take_for_equal_is_not(gold, answer):
    assert decide(gold, answer) is False
    assert decide(answer, gold) is False


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_the_same_is_the_same_however_it_is_written(gold, answer):
    assert decide(gold, answer) is True


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_two_texts_are_taken_without_an_error(gold, answer):
    assert same_literal(gold, answer) in (True, False, None)
    assert same_literal(gold, gold) is not False


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("0.\\overline{3}", "\\frac13", True),
        ("\\frac{1}{6}", "0.1\\overline{6}", True),
        ("0.\\overline{36}", "4/11", True),
        ("0.(3)", "0.\\dot{3}", True),
        ("-33.\\overline{3}\\%", "-\\frac13", True),
        ("0.\\overline{3}", "0.3", False),
        ("0.\\overline{36}", "0.36", False),
        ("0.\\overline{4}", "0.\\overline{5}", False),
    ],
)
def test_a_repeating_decimal_is_the_fraction_that_it_means(gold, answer, same):
    assert decide(gold, answer) is same


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("\\$5", "5 cents", False),
        ("\\$0.50", "50 cents", True),
        ("\\$5", "5\\text{ dollars}", True),
        ("\\$5", "€5", False),
        ("12 noon", "12 midnight", False),
        ("500 BC", "500 AD", False),
        ("10 km north", "10 km south", False),
        ("20\\% increase", "20\\% decrease", False),
        ("30^\\circ", "\\frac{\\pi}{6}", True),
        ("\\pi/2", "90°", True),
        ("30^\\circ", "\\frac{\\pi}{3}", False),
        ("90^\\circ", "90", True),
    ],
)
def test_money_contraries_and_angles_mean_what_stands_beside_the_number(gold, answer, same):
    assert decide(gold, answer) is same
