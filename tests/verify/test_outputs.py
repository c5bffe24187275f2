import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.outputs import same_text, same_value


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("1 2\n3\n", "1 2 \n 3", True),
        ("1\n2", "1 2", False),
        ("1", "1\n\n", True),
        ("0.333333333", "0.33333334", True),
        ("0.5", "0.50", True),
        ("1.0", "1", True),
        ("1", "1.0000001", False),
        ("100000000000000001", "100000000000000000", False),
        ("YES", "yes", False),
        ("1e5", "100000", True),
        ("nan", "nan", True),
        ("nan", "1", False),
        ("inf", "1e999999999", False),
        ("1_0", "10", False),
        ("", "", True),
        ("", "x", False),
        ("a b", "a  b", True),
        ("0.33333", "0.3333333333", True),
        ("0.33333", "0.33334", False),
        ("0.333", "0.3333333333", False),
    ],
)
def test_text_is_compared_by_lines_and_numbers_by_value(expected, actual, same):
    assert same_text(expected, actual) is same


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        (1, 1.0, True),
        (0.1, 0.1 + 1e-12, True),
        (1, "1", False),
        ("a", "a", True),
        (True, True, True),
        (True, "true", False),
        (None, None, True),
        (None, 0, False),
        ({"a": [1.0]}, {"a": [1.0000000001]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (1.0, 10**400, False),
        (0.33333, 1 / 3, True),
        (0.3333, 1 / 3, False),
        (0.33333, float("inf"), False),
    ],
)
def test_values_are_compared_as_json(expected, actual, same):
    assert same_value(expected, actual) is same


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_json)
def test_a_value_is_the_same_as_itself(value):
    assert same_value(value, value)


@given(_json, _json)
def test_sameness_has_no_direction(left, right):
    assert same_value(left, right) is same_value(right, left)


@given(st.text())
def test_a_text_is_the_same_as_itself_whatever_surrounds_it(text):
    assert same_text(text, f" {text}\n\n")
