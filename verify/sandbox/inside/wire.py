"""Values as JSON between a solution and what judges it. Plain values arrive as fresh plain values of exactly their
type, whatever class the sender has put around them; everything else arrives as a reference that stays with its owner.

JSON's own values stand for themselves; every other one is an object with a single key that names its kind.
"""

import collections
import datetime
import decimal
import fractions
from collections.abc import Callable
from typing import Any

Wire = Any  # a JSON value
_WORD = 2**63
_BASES = (bool, int, float, complex, str, bytes, bytearray, tuple, list, set, frozenset, dict)


def nothing_but_plain(value: Any) -> Wire:
    """The reference of a value that is not plain, where there is nobody to refer to."""
    return {"opaque": type(value).__name__}


def encode(value: Any, refer: Callable[[Any], Wire] = nothing_but_plain) -> Wire:
    """The value on the wire; `refer` makes the wire form of what is not plain. Raises RecursionError for a cycle."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is float:
        return value
    if kind is int:
        return value if -_WORD < value < _WORD else {"int": hex(value)}
    if kind is list:
        return [encode(item, refer) for item in value]
    one = _ENCODERS.get(kind)
    if one is not None:
        return one(value, lambda item: encode(item, refer))
    return _encode_other(value, refer)


def _encode_other(value: Any, refer: Callable[[Any], Wire]) -> Wire:
    """An instance of a subclass is its plain value to whoever compares it; a named tuple also stays reachable."""
    for base in _BASES:
        if isinstance(value, base):
            plain = encode(_rebuilt(base, value), refer)
            return {"named": [plain, refer(value)]} if base is tuple else plain
    return refer(value)


def _rebuilt(base: type, value: Any) -> Any:
    """The plain value inside, by the base's own methods: those of the subclass are not asked."""
    if base in (int, float, complex):
        return base.__pos__(value)
    if base is str:
        return str.__str__(value)
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))  # type: ignore[attr-defined]


def _encode_dict(value: Any, one: Callable[[Any], Wire]) -> Wire:
    return {"dict": [[one(key), one(item)] for key, item in dict.items(value)]}


_ENCODERS: dict[type, Callable[[Any, Callable[[Any], Wire]], Wire]] = {
    tuple: lambda value, one: {"tuple": [one(item) for item in value]},
    set: lambda value, one: {"set": [one(item) for item in value]},
    frozenset: lambda value, one: {"frozenset": [one(item) for item in value]},
    dict: _encode_dict,
    collections.OrderedDict: lambda value, one: {"ordered": _encode_dict(value, one)["dict"]},
    collections.Counter: lambda value, one: {"counter": _encode_dict(value, one)["dict"]},
    collections.defaultdict: lambda value, one: {"defaultdict": _encode_dict(value, one)["dict"]},
    collections.deque: lambda value, one: {"deque": [[one(item) for item in value], value.maxlen]},
    bytes: lambda value, one: {"bytes": value.hex()},
    bytearray: lambda value, one: {"bytearray": value.hex()},
    complex: lambda value, one: {"complex": [value.real, value.imag]},
    range: lambda value, one: {"range": [one(value.start), one(value.stop), one(value.step)]},
    fractions.Fraction: lambda value, one: {"fraction": [one(value.numerator), one(value.denominator)]},
    decimal.Decimal: lambda value, one: {"decimal": str(value)},
    datetime.date: lambda value, one: {"date": value.isoformat()},
    datetime.datetime: lambda value, one: {"datetime": value.isoformat()},
    datetime.time: lambda value, one: {"time": value.isoformat()},
    datetime.timedelta: lambda value, one: {"timedelta": [value.days, value.seconds, value.microseconds]},
    type({}.keys()): lambda value, one: {"keys": [one(item) for item in value]},
    type({}.values()): lambda value, one: {"values": [one(item) for item in value]},
    type({}.items()): lambda value, one: {"items": [[one(key), one(item)] for key, item in value]},
}
PLAIN = frozenset({type(None), bool, int, float, str, list, *_ENCODERS})  # types that arrive as themselves


def decode(wire: Wire, resolve: Callable[[str, Any], Any]) -> Any:
    """The value; `resolve` is given kind and content of every reference. Raises ValueError for what is no value."""
    if wire is None or isinstance(wire, str | bool | int | float):
        return wire
    if isinstance(wire, list):
        return [decode(item, resolve) for item in wire]
    if not isinstance(wire, dict) or len(wire) != 1:
        raise ValueError("an object on the wire has one key")
    ((kind, content),) = wire.items()
    try:
        one = _DECODERS.get(kind)
        return resolve(kind, content) if one is None else one(content, lambda item: decode(item, resolve))
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"no {kind} on the wire: {error}") from None


def _pairs(content: Any, one: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
    return [(one(key), one(item)) for key, item in content]


_DECODERS: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "int": lambda content, one: int(content, 16),
    "tuple": lambda content, one: tuple([one(item) for item in content]),
    "set": lambda content, one: {one(item) for item in content},
    "frozenset": lambda content, one: frozenset([one(item) for item in content]),
    "dict": lambda content, one: dict(_pairs(content, one)),
    "ordered": lambda content, one: collections.OrderedDict(_pairs(content, one)),
    "counter": lambda content, one: collections.Counter(dict(_pairs(content, one))),
    "defaultdict": lambda content, one: collections.defaultdict(None, _pairs(content, one)),
    "deque": lambda content, one: collections.deque([one(item) for item in content[0]], content[1]),
    "bytes": lambda content, one: bytes.fromhex(content),
    "bytearray": lambda content, one: bytearray.fromhex(content),
    "complex": lambda content, one: complex(*content),
    "range": lambda content, one: range(*(one(item) for item in content)),
    "fraction": lambda content, one: fractions.Fraction(one(content[0]), one(content[1])),
    "decimal": lambda content, one: decimal.Decimal(content),
    "date": lambda content, one: datetime.date.fromisoformat(content),
    "datetime": lambda content, one: datetime.datetime.fromisoformat(content),
    "time": lambda content, one: datetime.time.fromisoformat(content),
    "timedelta": lambda content, one: datetime.timedelta(*content),
    "keys": lambda content, one: dict.fromkeys(one(item) for item in content).keys(),
    "values": lambda content, one: dict(enumerate(one(item) for item in content)).values(),
    "items": lambda content, one: dict(_pairs(content, one)).items(),
}
