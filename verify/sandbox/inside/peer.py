"""Two processes that call each other over one socket. Plain values cross as values; a list, dict or set that the called
side changes is changed for the caller too; other objects stay where they are and are reached through a `Remote`.

Neither side believes the other: a message that makes no sense is an error of the call it belongs to.
"""

import builtins
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol

from reasonmill.verify.sandbox.inside import wire

_HEADER_BYTES = 4
_MAX_MESSAGE_BYTES = 64 * 2**20
_PRINTED_CHARS = 2**20  # of what a call prints; the rest is lost
_MUTABLE = (list, dict, set, bytearray)
_SHARED_MODULES = (
    *("bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "json"),
    *("math", "operator", "random", "re", "statistics", "string", "sys", "time", "typing"),
)


_BUILTIN_TYPES = {kind: name for name, kind in vars(builtins).items() if isinstance(kind, type)}


class PeerGone(BaseException):
    """The other process does not answer any more. No code under test can catch it by `except Exception`."""


class Proxies(Protocol):
    """Makes what stands here for an object over there."""

    def make(self, peer: "Peer", number: int, about: dict[str, Any]) -> Any:
        """A stand-in for object `number`."""
        ...

    def number_of(self, value: Any) -> int | None:
        """The number of the object that the value stands for; None for any other value."""
        ...

    def named_tuple(self, value: tuple[Any, ...], stand_in: Any) -> Any:
        """A tuple whose further attributes are over there."""
        ...


class Peer:
    """One end. `operations` is what the other end may do with the objects that it was shown."""

    def __init__(self, fd: int, proxies: Proxies, operations: Mapping[str, Callable[..., Any]]) -> None:
        self._fd = fd
        self._proxies = proxies
        self._operations = operations
        self._shown: list[Any] = []
        self._numbers: dict[int, int] = {}  # number of a shown object by its address; it is held, so it keeps it
        self._stand_ins: dict[int, Any] = {}
        self.gone = False

    # ---- calling

    def apply(self, operation: str, *arguments: Any, **keywords: Any) -> Any:
        """What the operation returns, or raises, over there. Raises PeerGone where nobody answers."""
        told = [self.tell(argument) for argument in arguments]
        self._send(["apply", operation, told, {name: self.tell(value) for name, value in keywords.items()}])
        while True:
            message = self._receive()
            if message[0] == "apply":
                self._serve(message)
                continue
            _, ended, result, changed, printed = message
            if printed:
                sys.stdout.write(str(printed))
            for index, content in changed:
                _replace(arguments[index], self.hear(content))
            if ended == "raised":
                raise self._raised(result)
            return self.hear(result)

    def _raised(self, told: Any) -> BaseException:
        kind, arguments, text = told
        found = self.hear(kind)
        if not (isinstance(found, type) and issubclass(found, BaseException)) or issubclass(found, PeerGone):
            found = RuntimeError
        try:
            error: BaseException = found(*self.hear(arguments))
            return error
        except Exception:  # noqa: BLE001  # its class wants other arguments: the text has to do
            return RuntimeError(str(text))

    # ---- being called

    def serve(self) -> None:
        """Answer until the other side is gone."""
        while True:
            self._serve(self._receive())

    def _serve(self, message: list[Any]) -> None:
        _, operation, told, keywords = message
        printed, standard = io.StringIO(), sys.stdout
        sys.stdout = printed
        arguments: list[Any] = []
        try:
            arguments = [self.hear(one) for one in told]
            value = self._operations[operation](*arguments, **{name: self.hear(one) for name, one in keywords.items()})
            ended, result = (
                "returned",
                self.show(value) if _is_object_of_own_class(operation, value) else self.tell(value),
            )
        except PeerGone:
            raise
        except BaseException as error:  # noqa: BLE001  # the caller's to handle
            ended, result = "raised", self._told_error(error)
        finally:
            sys.stdout = standard
        changed = []
        for index, argument in enumerate(arguments):
            if type(argument) in _MUTABLE and (content := self._told_or_none(argument)) not in (None, told[index]):
                changed.append([index, content])
        self._send(["done", ended, result, changed, printed.getvalue()[:_PRINTED_CHARS]])

    def _told_error(self, error: BaseException) -> Any:
        try:
            text = str(error)[:1000]
        except BaseException:  # noqa: BLE001  # an error of the candidate's own making
            text = ""
        arguments = self._told_or_none(list(error.args))
        return [self.tell(type(error)), [text] if arguments is None else arguments, text]

    def _told_or_none(self, value: Any) -> Any:
        try:
            return self.tell(value)
        except (RecursionError, ValueError):
            return None

    # ---- values

    def tell(self, value: Any) -> Any:
        """The value on the wire."""
        return wire.encode(value, self.show)

    def show(self, value: Any) -> Any:
        """The reference of an object: to one over there, to a type that both have, or to one of this side."""
        number = self._proxies.number_of(value)
        if number is not None:
            return {"yours": number}
        if isinstance(value, ModuleType) and value.__name__ in _SHARED_MODULES:
            return {"module": value.__name__}
        if isinstance(value, type) and value in _BUILTIN_TYPES:
            return {"type": _BUILTIN_TYPES[value]}
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._shown)
            self._shown.append(value)
        return {"mine": [number, _about(value)]}

    def hear(self, told: Any) -> Any:
        """The value of a wire form. Raises ValueError."""
        return wire.decode(told, self._resolve)

    def _resolve(self, kind: str, content: Any) -> Any:
        match kind, content:
            case "yours", int() if 0 <= content < len(self._shown):
                return self._shown[content]
            case "mine", [int(number), dict(about)]:
                if number not in self._stand_ins:
                    self._stand_ins[number] = self._proxies.make(self, number, about)
                return self._stand_ins[number]
            case "named", [plain, {"yours": int()} as own]:
                return self.hear(own)
            case "named", [plain, reference]:
                return self._proxies.named_tuple(tuple(self.hear(plain)), self.hear(reference))
            case "type", str() if isinstance(vars(builtins).get(content), type):
                return vars(builtins)[content]
            case "module", str() if content in _SHARED_MODULES:
                return sys.modules[content]
        raise ValueError(f"no reference: {kind}")

    # ---- messages

    def _send(self, message: list[Any]) -> None:
        body = json.dumps(message).encode("ascii")
        view = memoryview(len(body).to_bytes(_HEADER_BYTES, "little") + body)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise self._lost(str(error)) from None

    def _lost(self, why: str) -> PeerGone:
        self.gone = True
        return PeerGone(why)

    def _receive(self) -> list[Any]:
        size = int.from_bytes(self._read(_HEADER_BYTES), "little")
        if size > _MAX_MESSAGE_BYTES:
            raise self._lost("a message is too long")
        try:
            message: list[Any] = json.loads(self._read(size))
        except (ValueError, RecursionError) as error:
            raise self._lost(f"a message is no JSON: {error}") from None
        match message:
            case ["apply", str(), list(), dict()]:
                return message
            case ["done", str(), _, list() as changed, _] if all(_is_change(one) for one in changed):
                return message
        raise self._lost("a message makes no sense")

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = os.read(self._fd, min(size - len(parts), 2**20))
            except OSError as error:
                raise self._lost(str(error)) from None
            if not part:
                raise self._lost("the other side has ended")
            parts += part
        return bytes(parts)


def _is_change(one: Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and isinstance(one[0], int)


def _is_object_of_own_class(operation: str, value: Any) -> bool:
    """What a class of one's own makes keeps its methods, even where it is a list or a number underneath."""
    return operation == "make" and type(value).__module__ != "builtins" and type(value) not in wire.PLAIN


def _about(value: Any) -> dict[str, Any]:
    """What a stand-in has to know at once."""
    about: dict[str, Any] = {"class": type(value).__name__}
    if isinstance(value, type):
        about = {"is_class": True, "name": value.__name__}
        if issubclass(value, BaseException):
            about["raises"] = next(base.__name__ for base in value.__mro__ if vars(builtins).get(base.__name__) is base)
    elif hasattr(type(value), "__await__"):
        about["awaitable"] = True
    return about


def _replace(value: Any, content: Any) -> None:
    """Give a mutable value another content, where the other side says that it changed it."""
    if type(value) is not type(content) or type(value) not in _MUTABLE:
        return
    if isinstance(value, list | bytearray):
        value[:] = content
    else:
        value.clear()
        value.update(content)
