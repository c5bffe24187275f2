"""Values that came over the wire, compared without being made."""

import json
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.verify.sandbox.compare import equal, truth
from reasonmill.verify.sandbox.inside.wire import decode, encode

_keys = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.fractions()
_values = st.recursive(
    _keys | st.decimals(allow_nan=False) | st.dates() | st.timedeltas() | st.complex_numbers(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(_keys, max_size=3)
        | st.dictionaries(_keys, inner, max_size=3)
    ),
    max_leaves=8,
)


def _refuse(kind, content):
    raise ValueError(kind)


def _told(value):
    return json.loads(json.dumps(encode(value)))


@settings(deadline=None)
@given(_values)
def test_a_plain_value_arrives_as_it_is(value):
    assert sorted(repr(decode(_told(value), _refuse))) == sorted(repr(value))  # sets have no order


@settings(deadline=None)
@given(_values, _values)
def test_values_are_equal_when_python_says_so(left, right):
    assert equal(left, _told(right)) == (left == decode(_told(right), _refuse))
    assert equal(left, _told(left)) == (left == decode(_told(left), _refuse))


@settings(deadline=None)
@given(_values)
def test_a_value_has_the_truth_that_python_gives_it(value):
    assert truth(_told(value)) == bool(value)


@pytest.mark.parametrize(
    ("expected", "value", "same"),
    [
        (1, True, True),
        (1, 1.0, True),
        (0.1, 0.1 + 1e-12, False),
        ([1, 2], (1, 2), False),
        ({1, 2}, frozenset({2, 1}), True),
        ({"a": 1}, OrderedDict(a=1), True),
        ({"a": 2}, Counter("aa"), True),
        ([1], deque([1]), False),
        (0.5, Fraction(1, 2), True),
        (0.5, Decimal("0.5"), True),
        (b"x", bytearray(b"x"), True),
        (2**80, 2**80, True),
        (2.0**80, 2**80, True),
        (range(0), range(5, 5), True),
        ([], range(0), False),
        (float("nan"), float("nan"), False),
        ("1", 1, False),
        (None, object(), False),
        (None, len, False),
    ],
)
def test_kinds_are_told_apart_as_python_does(expected, value, same):
    assert equal(expected, _told(value)) is same


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"a": 1, "b": 2},
        {"unknown": 1},
        {"int": "zz"},
        {"int": 5},
        {"tuple": 5},
        {"dict": [1]},
        {"dict": [[1]]},
        {"set": None},
        {"fraction": [1, 0]},
        {"fraction": [1]},
        {"decimal": "x"},
        {"decimal": "1e999999999"},
        {"complex": ["a", {}]},
        {"range": [1, 2, 0]},
        {"named": []},
        {"deque": 3},
        {"date": []},
        {"mine": [0, {}]},
    ],
)
def test_nonsense_equals_nothing_and_does_no_harm(told):
    assert not any(equal(expected, told) for expected in (0, None, "", (), [], {}, set(), False, 1.5))
    assert truth(told) in (True, False)
