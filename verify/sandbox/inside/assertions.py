"""The tests of a solution, in a process that the solution cannot reach: it is called over a socket and knows neither
the tests nor the token that a passed one returns. One event a case; a case without one is one that the solution did not
survive.

Names in a test mean what its author meant: the function under test is the solution's, builtins are Python's own.
"""

import ast
import builtins
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from reasonmill.verify.sandbox.inside import prelude
from reasonmill.verify.sandbox.inside.peer import Peer, PeerGone
from reasonmill.verify.sandbox.inside.remote import OPERATIONS, Remote, StandIns, means_a_class

_MODULE = "tests"


def run_assertions(tests: dict[str, Any], solution_fd: int, events_fd: int) -> int:
    """Run `cases` ([number, source]) from number `first` on, an event each with its token of `tokens`. Numbers below 0
    are of what the cases share.
    """

    def emit(event: dict[str, Any]) -> None:
        os.write(events_fd, json.dumps(event).encode("ascii", "replace") + b"\n")

    try:
        trees = [(number, ast.parse(source)) for number, source in tests["cases"]]
        compiled = [(number, compile(tree, f"test_{number}.py", "exec")) for number, tree in trees]
    except (SyntaxError, ValueError, RecursionError) as error:
        emit({"bad": describe(error)})
        return 0
    peer = Peer(solution_fd, StandIns(), _SHOWN)
    module = prelude.module(_MODULE, with_names=True)
    try:
        failure = _bind(module, peer, [tree for _, tree in trees], tests["fn_name"])
        if failure is not None:
            emit({"load": failure})
            return 0
        for number, code in compiled:
            if number >= tests["first"]:
                _run_case(number, code, module, tests["tokens"], emit, peer)
            elif number < 0:
                exec(code, module.__dict__)
    except PeerGone:
        return 0
    return 0


def _run_case(
    number: int, code: Any, module: types.ModuleType, tokens: list[str], emit: Callable[..., None], peer: Peer
) -> None:
    try:
        exec(code, module.__dict__)
        event: dict[str, Any] = {"case": number, "token": tokens[number]}
    except BaseException as error:  # noqa: BLE001  # whatever the test or the solution raised
        event = {"case": number, "error": describe(error)}
    if peer.gone:  # a test may have caught that as well
        raise PeerGone
    emit(event)


def _bind(module: types.ModuleType, peer: Peer, trees: list[ast.Module], fn_name: str | None) -> list[str] | None:
    """Give the tests the solution's names; what is wrong with the solution, or None."""
    wanted = _subjects(trees, fn_name)
    error, found = peer.apply("lookup", sorted(wanted), fn_name)
    if error:
        return [str(part) for part in error]
    for name, value in found.items():
        if name in wanted:
            module.__dict__[name] = value
            if name != fn_name and name[:1].isupper():
                means_a_class(value)
    return None


def _subjects(trees: list[ast.Module], fn_name: str | None) -> set[str]:
    """Names that are looked up in the solution: what no vocabulary knows and the function under test. Where none is
    named and all names are known, the tests mean the solution's own version of what they call.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    known = vars(builtins).keys()
    unknown = {name for name in read if name not in known and name not in prelude.NAMES}
    if fn_name:
        return unknown | {fn_name}
    unbound = unknown - _bound(nodes)
    return unknown if unbound else unknown | (read & prelude.NAMES.keys() or read & known)


def _bound(nodes: list[ast.AST]) -> set[str]:
    """Names that the tests give a meaning themselves."""
    bound: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ExceptHandler(name=str() as name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.alias(name=name, asname=other):
                bound.add(other or name.partition(".")[0])
    return bound


def _is_of_the_tests(value: Any) -> bool:
    return type(value).__module__ == _MODULE


def _public(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation on attributes that the tests' own objects show; what leads to the tests themselves is private."""

    def restricted(value: Any, name: str, *more: Any) -> Any:
        if type(name) is not str or name.startswith("_") or not _is_of_the_tests(value):
            raise AttributeError(name)
        return operation(value, name, *more)

    return restricted


def _callable(value: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call what a test handed over; no other class or function is within reach."""
    if isinstance(value, Remote):
        raise TypeError("the object is on the other side")
    return value(*arguments, **keywords)


# what a solution may do with the objects that a test hands to it
_SHOWN: dict[str, Callable[..., Any]] = {
    **{name: OPERATIONS[name] for name in ("iter", "next", "len", "bool", "hash", "eq", "ne", "lt", "le", "gt", "ge")},
    **{name: OPERATIONS[name] for name in ("contains", "getitem", "setitem", "str", "repr", "isinstance")},
    "getattr": _public(getattr),
    "setattr": _public(setattr),
    "call": _callable,
    "make": _callable,
}


def describe(error: BaseException) -> list[str]:
    """Name of the error's class, and its text in one short line."""
    try:
        text = " ".join(str(error).split())[:200]
    except BaseException:  # noqa: BLE001  # an error of the candidate's own making
        text = ""
    return [type(error).__name__, text]


_nowhere: list[Any] = []


def prepare_silence() -> None:
    """Make the streams of `silence` once, before any fork; descriptors 0 and 1 lead nowhere."""
    for fd, mode in ((0, "r"), (1, "w")):
        _nowhere.append(open(fd, mode, encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115


def silence() -> None:
    """Standard streams that lead nowhere, as the descriptors 0 and 1 of such a process do."""
    sys.stdin, sys.stdout = _nowhere
    sys.stderr = sys.stdout
