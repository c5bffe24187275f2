"""Foreign Python code, after its process has been confined: a program on its standard input, calls whose values are
written down, or a solution that answers what tests in another process ask of it.

Nothing here is believed: expected values, tests and their tokens are never in this process.
"""

import atexit
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from reasonmill.verify.sandbox.inside import nodes, prelude, wire
from reasonmill.verify.sandbox.inside.assertions import describe, silence
from reasonmill.verify.sandbox.inside.peer import Peer, PeerGone
from reasonmill.verify.sandbox.inside.remote import OPERATIONS, StandIns


def _no_json(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} is no JSON")


# made once: json.dumps makes one, and its functions, for every value
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _no_json, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True
)


def to_json(value: Any) -> str:
    """As json.dumps, without a look for cycles beyond Python's own."""
    return "".join(_encode(value, 0))


def run_program(source: str) -> int:
    """Run a whole program as `__main__`; returns its exit status."""
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.argv = ["main.py"]
    atexit._clear()
    status = 0
    try:
        exec(compile(source, "main.py", "exec"), prelude.module("__main__", with_names=False).__dict__)
    except SystemExit as leave:
        status = _exit_status(leave)
    except BaseException:  # noqa: BLE001  # the program's own affair
        traceback.print_exc()
        status = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # threads that the program started may still print
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        sys.stderr.flush()
        status = status or 1
    return status


def _exit_status(leave: SystemExit) -> int:
    if leave.code is None or isinstance(leave.code, int):
        return (leave.code or 0) & 0xFF
    print(leave.code, file=sys.stderr)
    return 1


class _Solution:
    """A loaded solution."""

    def __init__(self, source: str) -> None:
        silence()
        sys.argv = ["solution.py"]
        self._names = prelude.module("solution", with_names=True).__dict__
        self.linked = "ListNode" in source or "TreeNode" in source
        if self.linked:
            self._names.update(ListNode=nodes.ListNode, TreeNode=nodes.TreeNode)
        exec(compile(source, "solution.py", "exec"), self._names)

    def kind(self, name: str) -> Any:
        """The class of nodes of this name that the solution works with."""
        return self._names[name]

    def function(self, name: str) -> Callable[..., Any] | None:
        """The named function, or the method of a fresh `Solution`; None where there is neither."""
        found = self._names.get(name)
        if callable(found) and found is not prelude.NAMES.get(name):
            return found  # type: ignore[no-any-return]
        solution = self._names.get("Solution")
        if isinstance(solution, type) and callable(getattr(solution, name, None)):
            return getattr(solution(), name)  # type: ignore[no-any-return]
        return found if callable(found) else None  # it was imported under its own name

    def named(self, wanted: list[str], fn_name: str | None) -> dict[str, Any]:
        """The values of those of the names that the solution defines."""
        found = {
            name: self._names[name]
            for name in wanted
            if name in self._names and self._names[name] is not prelude.NAMES.get(name, self)
        }
        function = self.function(fn_name) if fn_name else None
        return found if function is None else {**found, str(fn_name): function}


def run_calls(job: dict[str, Any], events_fd: int) -> int:
    """Call the solution with the arguments of each of `calls` ([number, arguments, keywords]), an event each; with
    `exact` values are on the wire, else in JSON's own terms.
    """
    write = os.write
    try:
        solution = _Solution(job["source"])
        if solution.function(job["fn_name"]) is None:
            raise NameError(f"name {job['fn_name']!r} is not defined")
    except BaseException as error:  # noqa: BLE001
        write(events_fd, to_json({"load": describe(error)}).encode("ascii") + b"\n")
        return 0
    tell = wire.encode if job["exact"] else plain
    for number, arguments, keywords in job["calls"]:
        try:
            function = solution.function(job["fn_name"])
            assert function is not None, "looked up before"
            positional = [wire.decode(one, _no_reference) for one in arguments]
            named = {name: wire.decode(one, _no_reference) for name, one in keywords.items()}
            if job.get("one_list") and not _takes(function, positional) and _takes(function, [positional]):
                positional = [positional]
            if solution.linked and not job["exact"]:
                positional = nodes.linked(function, positional, solution.kind)
            value = function(*positional, **named)
            if type(value).__name__ == "coroutine":
                value = _run_coroutine(value)
            if solution.linked and not job["exact"]:
                value = nodes.unlinked(function, value)
            line = to_json({"case": number, "value": tell(value)})
        except BaseException as error:  # noqa: BLE001
            line = to_json({"case": number, "error": describe(error)})
        write(events_fd, line.encode("ascii") + b"\n")
    return 0


def _takes(function: Callable[..., Any], arguments: list[Any]) -> bool:
    import inspect  # loaded before, by dataclasses

    try:
        inspect.signature(function).bind(*arguments)
    except (TypeError, ValueError):
        return False
    return True


def _no_reference(kind: str, content: Any) -> Any:
    raise ValueError(f"{kind} cannot be an argument")


def run_solution(source: str, tests_fd: int) -> int:
    """Load the solution and serve its tests until they end."""
    solution: _Solution | None = None
    failure: list[str] | None = None
    try:
        solution = _Solution(source)
    except BaseException as error:  # noqa: BLE001
        failure = describe(error)

    def lookup(wanted: list[str], fn_name: str | None) -> tuple[list[str] | None, dict[str, Any]]:
        if solution is None:
            return failure, {}
        try:
            return None, solution.named(wanted, fn_name)
        except BaseException as error:  # noqa: BLE001  # its class cannot be made
            return describe(error), {}

    operations = {**OPERATIONS, "lookup": lookup, "await": _run_coroutine}
    try:
        Peer(tests_fd, StandIns(), operations).serve()
    except PeerGone:
        return 0
    return 0


def _run_coroutine(coroutine: Any) -> Any:
    import asyncio  # a tenth of a second that few tests need

    async def awaited() -> Any:
        return await coroutine

    return asyncio.run(awaited())


def plain(value: Any) -> Any:
    """The value in JSON's terms: tuples and other sequences as lists, sets sorted where they can be."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        try:
            return [plain(item) for item in sorted(value)]
        except TypeError:
            return [plain(item) for item in value]
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    if type(value).__module__ in ("decimal", "fractions"):
        return float(value)
    return repr(value)
