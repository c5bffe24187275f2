"""Whether a program's output is the expected one. Runs outside the sandbox; expected outputs never go in."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

RELATIVE_TOLERANCE = 1e-6  # of numbers written with a fraction; what contests ask of floating point
_ROUNDED_EXPONENT = -5
_HALF_A_PLACE = Decimal("5.000001e-6")
_MAX_NUMBER_CHARS = 400


def same_text(expected: str, actual: str) -> bool:
    """Equality line by line, without surrounding blanks and empty lines at the end; numbers by value."""
    left, right = _lines(expected), _lines(actual)
    return len(left) == len(right) and all(map(_same_line, left, right))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _same_line(expected: str, actual: str) -> bool:
    if expected == actual:
        return True
    left, right = expected.split(), actual.split()
    return len(left) == len(right) and all(map(_same_token, left, right))


def _same_token(expected: str, actual: str) -> bool:
    if expected == actual:
        return True
    left, right = _decimal(expected), _decimal(actual)
    if left is None or right is None:
        return False
    if left == right:
        return True
    if left == left.to_integral_value() and "." not in expected and "e" not in expected.lower():
        return False  # a whole number is meant exactly
    return _close(float(left), float(right)) or _rounded(left, right) or _rounded(right, left)


def _close(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE)


def _rounded(short: Decimal, other: Decimal) -> bool:
    """Whether a decimal of five places, as LeetCode prints them, is the other one rounded."""
    return short.as_tuple().exponent == _ROUNDED_EXPONENT and abs(short - other) <= _HALF_A_PLACE


def _decimal(token: str) -> Decimal | None:
    if len(token) > _MAX_NUMBER_CHARS or "_" in token:
        return None
    try:
        number = Decimal(token)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 300 else None


def same_value(expected: Any, actual: Any) -> bool:
    """Equality of JSON values; where a fraction is expected, or returned, within the tolerance of contests."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same_value(expected[key], actual[key]) for key in expected)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same_value, expected, actual))
    if isinstance(expected, float) or isinstance(actual, float):
        if not (isinstance(expected, int | float) and isinstance(actual, int | float)):
            return False
        try:
            if expected == actual or _close(expected, actual):
                return True
            numbers = float(expected), float(actual)
        except OverflowError:
            return False
        if not all(map(math.isfinite, numbers)):
            return False
        left, right = (Decimal(repr(number)) for number in numbers)
        return _rounded(left, right) or _rounded(right, left)
    return bool(expected == actual) and isinstance(expected, str) == isinstance(actual, str)
