"""Stand-ins for objects of the other process, as natural to use as the objects, with one exception: an object never
decides whether it equals a plain value, is smaller than it or contains it. A function's result is compared as the
plain value that it is; what is not plain equals nothing. Only what a test itself made, by calling a class, answers for
itself.
"""

import builtins
import operator
from collections.abc import Iterator
from typing import Any

from reasonmill.verify.sandbox.inside.peer import Peer


class Remote:
    """An object over there."""

    __slots__ = ("_remote_is_class", "_remote_makes_own", "_remote_number", "_remote_own", "_remote_peer")

    def __init__(self, peer: Peer, number: int, *, is_class: bool) -> None:
        fields = (("peer", peer), ("number", number), ("is_class", is_class), ("makes_own", False), ("own", False))
        for name, value in fields:
            object.__setattr__(self, f"_remote_{name}", value)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the object returns, or the object that the class makes."""
        operation = "make" if self._remote_is_class else "call"
        result = self._remote_peer.apply(operation, self, *arguments, **keywords)
        if self._remote_makes_own and type(result) is Remote:
            object.__setattr__(result, "_remote_own", True)
        return result

    def __getattr__(self, name: str) -> Any:
        return self._remote_peer.apply("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._remote_peer.apply("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._remote_peer.apply("delattr", self, name)

    def __iter__(self) -> Iterator[Any]:
        other = self._remote_peer.apply("iter", self)
        return other if isinstance(other, Remote) else iter(other)

    def __contains__(self, item: Any) -> bool:
        if self._remote_own or isinstance(item, Remote):
            return bool(self._remote_peer.apply("contains", self, item))
        return any(one == item for one in self)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, Remote) and bool(self._remote_peer.apply("isinstance", instance, self))

    def __hash__(self) -> int:
        return hash(self._remote_peer.apply("hash", self))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return bool(self._remote_peer.apply("exit", self))


def _forward(operation: str) -> Any:
    return lambda self, *arguments: self._remote_peer.apply(operation, self, *arguments)


def _converted(operation: str, kind: type) -> Any:
    return lambda self: kind(self._remote_peer.apply(operation, self))


def _compared(operation: str, swapped: bool) -> Any:
    def compare(self: Remote, other: Any) -> Any:
        if not (self._remote_own or isinstance(other, Remote)):
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        return self._remote_peer.apply(operation, *pair)

    return compare


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift")
_ORDER = ("eq", "ne", "lt", "le", "gt", "ge")
_UNARY = ("neg", "pos", "abs", "invert")
_FORWARDED = {"getitem": 1, "setitem": 2, "delitem": 1, "next": 0, "enter": 0, "round": 1, **dict.fromkeys(_UNARY, 0)}
_CONVERTED = {"len": int, "bool": bool, "str": str, "repr": str, "int": int, "float": float, "index": int}


def _furnish() -> None:
    for name in _FORWARDED:
        setattr(Remote, f"__{name}__", _forward(name))
    for name, kind in _CONVERTED.items():
        setattr(Remote, f"__{name}__", _converted(name, kind))
    for name in _ORDER:
        setattr(Remote, f"__{name}__", _compared(name, swapped=False))
    for name in _BINARY:
        setattr(Remote, f"__{name}__", _compared(name, swapped=False))
        setattr(Remote, f"__r{name}__", _compared(name, swapped=True))


_furnish()


class RemoteTuple(tuple[Any, ...]):
    """A named tuple of over there: here a tuple, with its names there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["stand_in"], name)


async def _awaited(remote: Remote) -> Any:
    return remote._remote_peer.apply("await", remote)


class StandIns:
    """Makes stand-ins and knows them again."""

    def make(self, peer: Peer, number: int, about: dict[str, Any]) -> Any:
        """A stand-in for the object: of a class derived from BaseException, where it is an error's class."""
        remote = Remote(peer, number, is_class=about.get("is_class") is True)
        if isinstance(about.get("raises"), str):
            base = vars(builtins).get(about["raises"])
            if isinstance(base, type) and issubclass(base, BaseException):
                return type(str(about.get("name")), (base,), {"_remote_number": number})
        return _awaited(remote) if about.get("awaitable") else remote

    def number_of(self, value: Any) -> int | None:
        """The number of the object that the value stands for."""
        if type(value) is RemoteTuple:
            value = value.__dict__["stand_in"]
        if type(value) is Remote:
            return int(value._remote_number)
        if isinstance(value, type) and issubclass(value, BaseException):
            return vars(value).get("_remote_number")
        return None

    def named_tuple(self, value: tuple[Any, ...], stand_in: Any) -> RemoteTuple:
        """The tuple, with its names."""
        named = RemoteTuple(value)
        named.__dict__["stand_in"] = stand_in
        return named


def means_a_class(stand_in: Any) -> None:
    """A test calls it by a name that classes have: what it makes answers for itself."""
    if type(stand_in) is Remote and stand_in._remote_is_class:
        object.__setattr__(stand_in, "_remote_makes_own", True)


OPERATIONS = {
    "call": lambda function, *arguments, **keywords: function(*arguments, **keywords),
    "make": lambda kind, *arguments, **keywords: kind(*arguments, **keywords),
    "getattr": getattr,
    "setattr": setattr,
    "delattr": delattr,
    "isinstance": isinstance,
    "iter": iter,
    "next": next,
    "contains": operator.contains,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "hash": hash,
    "enter": lambda value: value.__enter__(),
    "exit": lambda value: value.__exit__(None, None, None),
    "round": round,
    "abs": abs,
    "pow": pow,
    **_CONVERTED,
    "len": len,
    "repr": repr,
    **{name: getattr(operator, name) for name in (*_ORDER, "neg", "pos", "invert", "index")},
    **{name: getattr(operator, f"__{name}__") for name in _BINARY if name != "pow"},
}
