r"""Sets of reals: `2 < x \le 5` is `(2, 5]`, `or` is a union, `and` an intersection, ends count."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.verify.real_sets import same_real_set


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("(2, 5]", r"2<x\le 5", True),
        ("(2, 5]", r"5 \ge x > 2", True),
        ("(2, 5]", r"\{x \mid 2 < x \le 5\}", True),
        ("(2, 5]", r"\{x \in \mathbb{R} : 2 < x \leqslant 5\}", True),
        ("(2, 5]", r"x>2 \text{ and } x\le 5", True),
        ("(2, 5]", r"2\le x\le 5", False),
        ("(2, 5]", "2<x<5", False),
        ("(2, 5]", r"2>x\ge 5", False),
        (r"(-\infty,1)\cup(2,\infty)", "x<1 or x>2", True),
        (r"(-\infty,1)\cup(2,\infty)", "x<1, x>2", True),
        (r"(-\infty,1)\cup(2,\infty)", "x<1或x>2", True),
        (r"(-\infty,1)\cup(2,\infty)", r"x<1 \text{ and } x>2", False),
        (r"(-\infty,1)\cup(2,\infty)", r"1<x<2", False),
        ("x<1 or x>2", "x<1 and x>2", False),
        ("x>1, x<3", "(1,3)", True),
        ("x>1, x>3", "(3,\\infty)", None),
        (r"\mathbb{R}", r"(-\infty,\infty)", True),
        (r"\mathbb{R}", r"\text{all real numbers}", True),
        (r"\mathbb{R}\setminus\{3\}", r"x \ne 3", True),
        (r"(-\infty,3)\cup(3,\infty)", r"x \neq 3", True),
        (r"(0,1)\cup(1,2)", r"0<x<2, x\ne 1", True),
        (r"(0,1)\cup(1,2)", "0<x<2", False),
        (r"\{1\}\cup[2,3]", r"x=1 \text{ or } 2\le x\le 3", True),
        (r"[1,2]\cup[2,3]", r"1\le x\le 3", True),
        ("[-1,1]", r"|x|\le 1", True),
        ("[0,4]", r"|x-2|\le 2", True),
        ("[-1,1]", "|x|<1", False),
        ("[0,1]", r"0\le f(x)\le 1", True),
        (r"[\sqrt{2},\sqrt{3})", r"\sqrt2\le x<\sqrt3", True),
        ("x>2", "y>2", None),
        ("x>a", "x>a+0", None),
        ("x>2", "2", None),
        ("(1,2)", "(1,2)", None),
        ("a<b<c", "c>b>a", True),
        ("a<b<c", "a<c<b", False),
        (r"x \in [1,2]", r"1 \\le x \\le 2", None),
    ],
)
def test_a_pair_of_sets_is_decided_as_written(gold, answer, same):
    assert same_real_set(gold, answer) is same


_ends = st.fractions(min_value=-50, max_value=50, max_denominator=9)


def _latex(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


@settings(max_examples=30, deadline=None)
@given(st.tuples(_ends, _ends).filter(lambda ends: ends[0] < ends[1]), st.booleans(), st.booleans())
def test_an_interval_is_its_inequality_and_no_other(ends, left, right):
    low, high = map(_latex, ends)
    interval = f"{'[' if left else '('}{low},{high}{']' if right else ')'}"
    signs = {True: r"\le", False: "<"}
    assert same_real_set(interval, f"{low} {signs[left]} x {signs[right]} {high}") is True
    assert same_real_set(interval, f"{low} {signs[not left]} x {signs[right]} {high}") is False
    assert same_real_set(interval, f"{low} {signs[left]} x {signs[not right]} {high}") is False
    assert same_real_set(interval, f"x {signs[not left]} {low} or x > {high}") is False


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(_ends, _ends).filter(lambda ends: ends[0] < ends[1]), min_size=1, max_size=4), st.data())
def test_a_union_has_no_order_and_its_parts_may_overlap(pieces, data):
    written = [f"[{_latex(low)},{_latex(high)}]" for low, high in pieces]
    conditions = [rf"{_latex(low)}\le x\le {_latex(high)}" for low, high in data.draw(st.permutations(pieces))]
    assert same_real_set(r"\cup".join([*written, "(60,61)"]), " or ".join([*conditions, "60<x<61"])) is True
    assert same_real_set(r"\cup".join([*written, "(60,61)"]), " or ".join([*conditions, "60<x<62"])) is False


@given(
    st.lists(
        st.sampled_from([*"x<>=≤()[],12 ∪{}|;", " or ", " and ", "\\{", "\\}", "\\cup", "\\infty"]), max_size=25
    ).map("".join)
)
def test_any_text_is_decided_or_left(text):
    assert same_real_set(text, text) is not False
    same_real_set(text, "1<x<2")
