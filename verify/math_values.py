"""Whether two expressions have the same value, in microseconds: exactly over the rationals, else to 50 digits.

Variables are set to fixed large numbers, at which different polynomials of a size that people write do not meet.
What this cannot tell apart with certainty it does not decide: the answer is then None.
"""

import decimal
import hashlib
import math
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from reasonmill.verify.math_complex import Gaussian
from reasonmill.verify.math_expression import Node, parse_expression

_DIGITS = 50
_SAME = Decimal("1e-40")  # relative difference of equal values: ten digits are left for rounding errors
_APART = Decimal("1e-25")  # relative difference of values that surely differ
_MAX_BITS = 4096  # of numerator or denominator
_MAX_EXPONENT = 256
_HUGE_DIGITS = 1e6
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
_CONTEXT = decimal.Context(prec=_DIGITS, traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow])
Value = Fraction | Decimal


class _Undefined(Exception):
    """No value at this point, or none that is cheap."""


@lru_cache(maxsize=8192)
def _tree(form: str) -> Node | None:
    return parse_expression(form)


def same_value(gold: str, answer: str) -> bool | None:
    """Whether two texts in normal form have the same value; None where that is not certain."""
    left, right = _tree(gold), _tree(answer)
    if left is None or right is None:
        return None
    try:
        names = _names(left) | _names(right)
        if "i" in names:
            return _same_complex(left, right)
        verdicts = {_compare(_value(left, turn), _value(right, turn)) for turn in range(2 if names else 1)}
        if False in verdicts:
            return False
        if verdicts != {True} or (names and (_has_root(left) or _has_root(right))):
            return None  # a root of a variable may be the other one elsewhere
    except (_Undefined, ArithmeticError):
        return None
    return True


def constant_value(form: str) -> Value | None:
    """Value of a text in normal form that holds no variable, else None."""
    tree = _tree(form)
    if tree is None or _names(tree):
        return None
    try:
        return _value(tree, 0)
    except (_Undefined, ArithmeticError):
        return None


def is_huge(form: str) -> bool:
    """Whether a text in normal form is a number of more than a million digits, which nothing computes in time."""
    tree = _tree(form)
    if tree is None or _names(tree):
        return False
    try:
        return _digits(tree) > _HUGE_DIGITS
    except OverflowError:
        return True


def _digits(tree: Node) -> float:
    """About the number of digits before the point."""
    kind = tree[0]
    if kind == "number":
        return math.log10(max(1, abs(tree[1])))
    if kind == "constant":
        return 0.5
    sizes = [_digits(part) for part in tree[1:]]
    match kind:
        case "power":
            return sizes[0] * math.pow(10.0, sizes[1])
        case "multiply":
            return sum(sizes)
        case "add" | "subtract":
            return max(sizes) + 0.3
    return sizes[0]


def _compare(left: Value, right: Value) -> bool | None:
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        return left == right
    a, b = _as_decimal(left), _as_decimal(right)
    size = max(abs(a), abs(b))
    if size < _APART:
        return None  # what is left of a cancellation, perhaps
    difference = _CONTEXT.divide(abs(_CONTEXT.subtract(a, b)), size)
    if difference <= _SAME:
        return True
    return False if difference > _APART else None


def _same_complex(left: Node, right: Node) -> bool | None:
    """Equality of expressions with the imaginary unit: exact where there are no roots, else left to algebra."""
    return _complex(left) == _complex(right)


def _complex(tree: Node) -> Gaussian:
    kind = tree[0]
    if kind == "number":
        return Gaussian(Fraction(tree[1]))
    if kind == "name":
        return Gaussian(Fraction(0), Fraction(1)) if tree[1] == "i" else Gaussian(_point(tree[1], 0))
    if kind in ("constant", "root"):
        raise _Undefined
    left = _complex(tree[1])
    if kind == "negative":
        return -left
    right = _complex(tree[2])
    match kind:
        case "add":
            return left + right
        case "subtract":
            return left - right
        case "multiply":
            return left * right
        case "divide":
            return left / right
    if right.imaginary or right.real.denominator != 1:
        raise _Undefined
    return left ** int(right.real)


def _names(tree: Node) -> set[str]:
    if tree[0] == "name":
        return {tree[1]}
    return set().union(*(_names(part) for part in tree[1:] if isinstance(part, tuple)))


def _has_root(tree: Node) -> bool:
    """Whether a variable stands under a root."""
    if tree[0] in ("root", "power") and _names(tree[1]) and _fractional(tree[2], tree[0]):
        return True
    return any(_has_root(part) for part in tree[1:] if isinstance(part, tuple))


def _fractional(exponent: Node, kind: str) -> bool:
    if kind == "root":
        return True
    value = _value(exponent, 0)
    return not isinstance(value, Fraction) or value.denominator != 1


@lru_cache(maxsize=4096)
def _point(name: str, turn: int) -> Fraction:
    digest = hashlib.blake2b(f"{turn}:{name}".encode(), digest_size=12).digest()
    return Fraction(int.from_bytes(digest[:8], "little") + 2, int.from_bytes(digest[8:10], "little") + 1)


def _value(tree: Node, turn: int) -> Value:
    kind = tree[0]
    if kind == "number":
        return Fraction(tree[1])
    if kind == "name":
        return _point(tree[1], turn)
    if kind == "constant":
        return _PI if tree[1] == "pi" else _CONTEXT.exp(Decimal(1))
    if kind == "power" and tree[1] == ("constant", "e"):
        return _exponential(_value(tree[2], turn))
    left = _value(tree[1], turn)
    if kind == "negative":
        return -left
    right = _value(tree[2], turn)
    if kind == "power":
        return _power(left, right)
    if kind == "root":
        return _root(left, right)
    return _arithmetic(kind, left, right)


def _arithmetic(kind: str, left: Value, right: Value) -> Value:
    if kind == "divide" and not right:
        raise _Undefined
    if isinstance(left, Fraction) and isinstance(right, Fraction):
        match kind:
            case "add":
                return _bounded(left + right)
            case "subtract":
                return _bounded(left - right)
            case "multiply":
                return _bounded(left * right)
            case _:
                return _bounded(left / right)
    a, b = _as_decimal(left), _as_decimal(right)
    operation = {"add": _CONTEXT.add, "subtract": _CONTEXT.subtract, "multiply": _CONTEXT.multiply}
    return operation.get(kind, _CONTEXT.divide)(a, b)


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > _MAX_BITS or value.denominator.bit_length() > _MAX_BITS:
        raise _Undefined
    return value


def _as_decimal(value: Value) -> Decimal:
    if isinstance(value, Decimal):
        return value
    return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _exponential(exponent: Value) -> Value:
    if not -_MAX_EXPONENT <= exponent <= _MAX_EXPONENT:
        raise _Undefined
    return Fraction(1) if exponent == 0 else _CONTEXT.exp(_as_decimal(exponent))


def _power(base: Value, exponent: Value) -> Value:
    if not isinstance(exponent, Fraction) or abs(exponent) > _MAX_EXPONENT or (not base and exponent <= 0):
        raise _Undefined
    if exponent.denominator == 1:
        if isinstance(base, Decimal):
            return _CONTEXT.power(base, int(exponent))
        if max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent) > _MAX_BITS:
            raise _Undefined
        return base ** int(exponent)
    return _positive_power(base, exponent)


def _root(base: Value, degree: Value) -> Value:
    if not isinstance(degree, Fraction) or degree.denominator != 1 or not 2 <= degree <= 16:
        raise _Undefined
    if degree == 3 and base < 0:
        raise _Undefined  # the real root or the principal one
    return _positive_power(base, 1 / degree)


def _positive_power(base: Value, exponent: Fraction) -> Value:
    if base < 0:
        raise _Undefined
    if base == 0:
        return Fraction(0)
    root = _exact_root(base, exponent.denominator) if isinstance(base, Fraction) else None
    if root is not None:
        return _power(root, Fraction(exponent.numerator))
    if exponent == Fraction(1, 2):
        return _CONTEXT.sqrt(_as_decimal(base))
    return _CONTEXT.power(_as_decimal(base), _as_decimal(exponent))


def _exact_root(base: Fraction, degree: int) -> Fraction | None:
    parts = []
    for number in (base.numerator, base.denominator):
        if number.bit_length() > 512:
            return None
        guess = round(_CONTEXT.power(Decimal(number), _as_decimal(Fraction(1, degree))))
        if guess**degree != number:
            return None
        parts.append(guess)
    return Fraction(parts[0], parts[1])
