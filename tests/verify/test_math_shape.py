r"""Equality by shape and value. Every pair is decided as written, or (None) left to algebra."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reasonmill.verify.math_number import numbers_equal, parse_number
from reasonmill.verify.math_shape import same_answer
from reasonmill.verify.math_text import normal_form


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        # numbers
        ("420", "420", True),
        ("420", "421", False),
        ("1,234", "1234", True),
        (r"10,\!080", "10080", True),
        (r"11,\! 111,\! 111,\! 100", "11111111100", True),
        ("10{,}000", "10000", True),
        ("32349", "32, 349", False),
        ("12", "1 2", None),
        ("1000", "1 000", True),
        ("1000.99", "1000,99", True),
        ("0,5", "-0,5", False),
        (r"\frac{1}{2}", r"\dfrac12", True),
        (r"\frac{1}{2}", "1/2", True),
        (r"\frac{1}{2}", "0.5", True),
        (r"\frac9{19}", r"\frac{9}{19}", True),
        (r"\frac{1}{3}", "0.333333", True),
        (r"\frac{1}{3}", "0.33", False),
        (r"2\frac{1}{2}", "2.5", True),
        (r"2\frac{1}{2}", "1", False),
        ("1 1/2", "1.5", True),
        (r"-\frac{1}{2}", r"\frac{-1}{2}", True),
        ("0.5", r"50\%", True),
        ("50", r"50\%", True),
        ("28", "28 percent", True),
        ("5.3", r"5.3\%", True),
        ("50", r"0.5\%", False),
        ("0.5", r"0.5\%", False),
        (r"\frac{9}{17}", r"\frac{9}{17}\%", False),
        ("1e-5", "0.00001", True),
        (r"1.2\times10^{5}", "120000", True),
        ("1.2×10⁵", "120000", True),
        ("10^{-3}", "0.001", True),
        ("4.03188", "4.031882", True),
        ("16386.17", "16386.2", False),
        ("6630", "6630.65", False),
        ("1e-30", "2e-30", False),
        ("１２", "12", True),
        # units, currency, degrees
        (r"5\text{ cm}", "5", True),
        (r"5\text{ cm}", r"5\text{ km}", False),
        (r"5\text{ m}", r"500\text{ cm}", True),
        (r"15\mbox{ cm}^2", "15", True),
        (r"3\sqrt{2}\text{ m}", r"3\sqrt{2}", True),
        (r"9.8~\mathrm{m}/\mathrm{s}^2", "9.8", True),
        ("12 apples", "12", True),
        ("5m", "5", False),
        ("2xy", "2", False),
        (r"\$5", "5", True),
        ("£5.00", "5 ", True),
        (r"90^\circ", "90", True),
        (r"20^\circ\text{C}", r"20^\circ\text{F}", False),
        ("1,000.99€", "1000.99", True),
        # expressions
        ("x^2+2x+1", "(x+1)^2", True),
        ("x", "y", False),
        (r"11\sqrt2", r"11\sqrt{2}", True),
        (r"\sqrt{8}", r"2\sqrt{2}", True),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", True),
        (r"\sqrt{x^2}", "x", None),
        (r"12\pi", "37.68", False),
        (r"12\pi", "37.69911", True),
        (r"\sqrt{17}", "4.123105625617661", True),
        ("2pi", r"2\pi", True),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}", None),
        ("1/2x", "x/2", None),
        ("f(x)", "f(y)", None),
        ("9^{9^{9^9}}", "1", None),
        (r"\sin x", r"\cos x", None),
        ("1+2i", r"-\frac{11}{5}-\frac25i", False),
        ("(1+i)^2", "2i", True),
        (r"\frac{1+265i}{1+263i}", "1+274i", False),
        ("i^2", "-1", True),
        ("E_1", "E_2", False),
        ("e", "2.718281828", True),
        # lists, tuples, intervals, sets, matrices, unions
        (r"\{1,2\}", "2, 1", True),
        ("1,2,2", "1,2", True),
        ("1,2", "1,2,3", False),
        ("2", "2,3", False),
        (r"-2 \text{ and } 1", "1, -2", True),
        ("(11,7)or(7,11)", r"(7,11),\ (11,7)", True),
        (r"3 \pm 2\sqrt{2}", r"3-2\sqrt{2}, 3+2\sqrt{2}", True),
        (r"1 \pm \sqrt{19}", "0, 2", False),
        ("(1,2)", "(2,1)", False),
        ("(1,2)", "(1,2,3)", False),
        ("[1,2]", "(1,2)", False),
        ("(15,-29)", "[15,-29]", None),
        ("(1,2)", "5", False),
        ("(1, 1/2^{99})", "(1,1/2^{98})", False),
        (r"\left(\frac{3}{5},\frac{8}{3}\right]", "(3/5, 8/3]", True),
        (r"(2,\infty)", r"(2, +\infty)", True),
        (r"(2,\infty)", r"[\frac52,\infty)", False),
        (r"(-\infty,-1)\cup(1,\infty)", r"(1,\infty)\cup(-\infty,-1)", True),
        (r"\begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}", r"\begin{bmatrix} 0.2 \\ -3.6 \end{bmatrix}", True),
        (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", False),
        ("100,200,300", "100, 200, 300", True),
        # names
        ("x=5", "5", True),
        ("5", "x = 5", True),
        ("x=5", "y=5", None),
        (r"x \in [-2,7]", "[-2, 7]", True),
        ("(p,q)=(3,2)", "(3,2)", True),
        ("a=4,-8,-10", "-10,-8,4", True),
        ("x=1,y=2", "y=2,x=1", True),
        ("x=1,y=2", "(1,2)", True),
        ("x=1,y=2", "(2,1)", False),
        ("(1,3)", "x=1,x=3", False),
        ("(3,-4)", r"\begin{pmatrix}3\\-4\end{pmatrix}", True),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", False),
        ("2:3:5", "4:6:10", True),
        ("2:3:5", "2:5:3", False),
        ("11/36", "11:36:1", False),
        (r"60^\circ", "60'", False),
        ("x=1,y=2", "x=2,y=1", None),
        ("3x+4y+14=0", "3x-y+13=0", None),
        # numerals of a base
        ("4210_{5}", "4210_5", True),
        ("1112112_3", "1112122_3", False),
        ("52_8", "42", False),
    ],
)
def test_a_pair_is_decided_as_written(gold, answer, same):
    assert same_answer(gold, answer) is same


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_whole_numbers_are_equal_only_to_themselves(a, b):
    assert same_answer(str(a), str(b)) is (a == b)
    assert parse_number(f"{a:,}").value == a


@given(st.fractions(), st.sampled_from([r"\frac{%d}{%d}", r"\dfrac{%d}{%d}", "%d/%d"]))
def test_a_fraction_is_read_exactly(value, pattern):
    assert parse_number(pattern % (value.numerator, value.denominator)).value == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_read_exactly(value):
    assert parse_number(f"{value:f}").value == Fraction(value)


_numbers = st.fractions(max_denominator=999, min_value=-999, max_value=999)


def _latex(value):
    return str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"


@given(st.lists(_numbers, min_size=2, max_size=5), st.data())
def test_a_list_has_no_order_and_a_tuple_has(values, data):
    shuffled = data.draw(st.permutations(values))
    left, right = ", ".join(map(_latex, values)), ", ".join(map(_latex, shuffled))
    assert same_answer(left, right) is True
    assert same_answer(f"\\{{{left}\\}}", right) is True
    assert same_answer(f"({left})", f"({right})") is (values == shuffled)


_leaf = st.one_of(_numbers.map(_latex), st.sampled_from(["x", "y", r"\pi", r"\sqrt{2}", r"\sqrt{3}"]))
_expressions = st.recursive(
    _leaf,
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", r" \cdot "]), inner).map(
        lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"
    ),
    max_leaves=4,
)


@settings(max_examples=40, deadline=None)
@given(_expressions, _expressions)
def test_what_is_decided_about_expressions_is_what_sympy_says(left, right):
    decided = same_answer(left, right)
    assume(decided is not None)
    sympy = pytest.importorskip("sympy")

    def value(text):
        for old, new in (
            (r"\frac", "F"),
            (r"\pi", "pi"),
            (r"\sqrt", "sqrt"),
            (r"\cdot", "*"),
            ("}{", ","),
            ("{", "("),
            ("}", ")"),
        ):
            text = text.replace(old, new)
        return sympy.sympify(text.replace(" ", ""), locals={"F": sympy.Rational})

    assert decided is bool(sympy.simplify(value(left) - value(right)) == 0)


@given(st.decimals(min_value=Decimal("1e-40"), max_value=Decimal("1e-7"), allow_nan=False), st.integers(2, 1000))
def test_tiny_numbers_that_differ_are_different(value, factor):
    left, right = parse_number(f"{value:e}"), parse_number(f"{value * factor:e}")
    assume(left is not None and right is not None)
    assert not numbers_equal(left, right)


@given(st.text(max_size=60))
def test_the_normal_form_is_one_for_any_text_and_equal_to_itself(text):
    normal_form(text)
    assert same_answer(text, text) is not False


@pytest.mark.parametrize(
    "piece", ["(", "{", "\\frac", ",", "1,", "x=", "\\begin{pmatrix}", "\\pm", "^{", "\\text{", "1 "]
)
def test_an_answer_that_repeats_itself_is_decided_in_one_go(piece):
    assert same_answer(piece * 300, "1") is not True
    assert same_answer("1", piece * 20_000) is not True
    assert same_answer(piece * 20_000 + " ", piece * 20_000) is True
