"""Whether a value that came over the wire equals the expected one, as Python's `==` has it. Runs outside the sandbox on
hostile input: in time n log n of its length, without making the values.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from reasonmill.verify.sandbox.inside import wire

_MAX_DIGITS = 4000  # of a number that is worked with
_SAME = {"frozenset": "set", "ordered": "dict", "counter": "dict", "defaultdict": "dict", "bytearray": "bytes"}


class Different(Exception):
    """The value equals no value that a test can write down."""


def equal(expected: Any, told: wire.Wire) -> bool:
    """Whether the value `told` on the wire equals the Python value `expected`. No NaN and no opaque object equals
    anything.
    """
    try:
        return _form(told) == _form(wire.encode(expected))
    except (Different, RecursionError):
        return False


def truth(told: wire.Wire) -> bool:
    """The value's truth, as Python's `bool` has it; an object that is not plain is true."""
    if not isinstance(told, dict) or len(told) != 1:
        return bool(told)
    ((kind, content),) = told.items()
    try:
        match kind:
            case "opaque":
                return True
            case "named" | "deque":
                return truth(content[0])
            case "int" | "complex" | "range" | "fraction" | "decimal" | "date" | "datetime" | "time" | "timedelta":
                return len(str(content)) > _MAX_DIGITS or bool(wire.decode(told, _refuse))
        return bool(content)
    except (TypeError, ValueError, LookupError, RecursionError):
        return False


def _form(told: wire.Wire) -> str:
    """A text that two values share exactly if they are equal."""
    if told is None or isinstance(told, str):
        return json.dumps(told)
    if isinstance(told, bool | int | float):
        return _number(told)
    if isinstance(told, list):
        return f"[{','.join(map(_form, told))}]"
    if not isinstance(told, dict) or len(told) != 1:
        raise Different
    ((kind, content),) = told.items()
    make = _FORMS.get(_SAME.get(str(kind), str(kind)))
    if make is None:
        raise Different
    try:
        return make(content)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        raise Different from None


def _number(value: float | Fraction) -> str:
    if isinstance(value, float):
        if value != value:
            raise Different
        if value in (float("inf"), float("-inf")):
            return str(value)
    exact = Fraction(value)
    return f"{exact.numerator:x}/{exact.denominator:x}"


def _sorted_pairs(content: Any) -> str:
    pairs = dict(zip((_form(key) for key, _ in content), (_form(item) for _, item in content), strict=True))
    return f"{{{','.join(f'{key}:{pairs[key]}' for key in sorted(pairs))}}}"


def _refuse(kind: str, content: Any) -> Any:
    raise ValueError(kind)


def _range(content: Any) -> str:
    value = range(*(wire.decode(one, _refuse) for one in content))
    if not value:
        return "range()"
    return f"range({value[0]},{value[-1]},{value.step if value[0] != value[-1] else 0})"


def _decimal(content: Any) -> str:
    value = Decimal(content)
    if value.is_nan():
        raise Different
    if value.is_infinite():
        return _number(float(value))
    small = abs(value.adjusted()) < _MAX_DIGITS and len(content) < _MAX_DIGITS
    return _number(Fraction(value)) if small else f"decimal {content}"


def _fraction(content: Any) -> str:
    if len(str(content)) > _MAX_DIGITS:
        return f"fraction {content}"
    return _number(Fraction(wire.decode(content[0], _refuse), wire.decode(content[1], _refuse)))


def _complex(content: Any) -> str:
    real, imaginary = map(float, content)
    return f"{_number(real)}+{_number(imaginary)}j" if imaginary else _number(real)


_FORMS: dict[str, Callable[[Any], str]] = {
    "int": lambda content: _number(int(content, 16)),
    "tuple": lambda content: f"({','.join(map(_form, content))})",
    "named": lambda content: _form(content[0]),
    "set": lambda content: f"<{','.join(sorted(set(map(_form, content))))}>",
    "keys": lambda content: f"<{','.join(sorted(set(map(_form, content))))}>",
    "dict": _sorted_pairs,
    "deque": lambda content: f"deque[{','.join(map(_form, content[0]))}]",
    "bytes": lambda content: f"bytes {content}",
    "complex": _complex,
    "range": _range,
    "fraction": _fraction,
    "decimal": _decimal,
    **{kind: lambda content, kind=kind: f"{kind} {content}" for kind in ("date", "datetime", "time", "timedelta")},  # type: ignore[misc]
}
