"""What a job runs, after it has been confined: a Python program on its standard input, or cases against a Python
solution, one event a case. A case without an event is one that the process did not survive.

An event of an assertion carries the case's token, which only the code behind its last line writes: leaving early earns
nothing. Results of functions are written down and compared elsewhere.
"""

import atexit
import builtins
import json
import os
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any

_PRELUDE = """
from math import *
del pow  # the builtin takes three arguments
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, os, random, re
import statistics, string, sys, time
from bisect import bisect_left, bisect_right, insort, insort_left, insort_right
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from copy import deepcopy
from functools import cache, cmp_to_key, lru_cache, partial, reduce
from heapq import heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, nsmallest
from itertools import (accumulate, chain, combinations, combinations_with_replacement, count, cycle, groupby, islice,
    pairwise, permutations, product, repeat, starmap, takewhile, zip_longest)
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import *
"""
_prelude_names: dict[str, Any] = {}


def warm_up() -> None:
    """Import once what solutions use, so that every fork has it for nothing."""
    exec(_PRELUDE, _prelude_names)
    import array  # noqa: F401
    import cmath  # noqa: F401
    import contextlib  # noqa: F401
    import dataclasses  # noqa: F401
    import decimal  # noqa: F401
    import enum  # noqa: F401
    import fractions  # noqa: F401
    import hashlib  # noqa: F401
    import io  # noqa: F401
    import queue  # noqa: F401
    import site

    site.setquit()  # exit() and quit(), which python -S leaves out
    _prelude_names.pop("__builtins__", None)


def run_program(source: str) -> int:
    """Run a whole program as `__main__`; returns its exit status."""
    sys.stdin = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.argv = ["main.py"]
    atexit._clear()
    status = 0
    try:
        exec(compile(source, "main.py", "exec"), _module("__main__").__dict__)
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


def _module(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    sys.modules[name] = module
    return module


def run_cases(request: dict[str, Any], events_fd: int) -> int:
    """Load the solution once, then run its cases in order; returns 0 when all were run, however they ended."""
    # what the solution could replace is held from before it is loaded
    write, dumps, run, describe, plain = os.write, json.dumps, exec, _describe, _plain

    def emit(event: dict[str, Any]) -> None:
        write(events_fd, dumps(event).encode("ascii", "replace") + b"\n")

    sys.stdin, sys.stdout, sys.stderr = _nowhere("r"), _nowhere("w"), _nowhere("w")
    sys.argv = ["solution.py"]
    is_assert, name, tokens = request["call"] == "assert", request["fn_name"], request["tokens"]
    cases = request["cases"]
    try:
        if is_assert:
            cases = [(index, compile(text, f"test_{index}.py", "exec")) for index, text in cases]
    except (SyntaxError, ValueError) as error:
        emit({"bad": describe(error)})
        return 0
    module = _module("solution")
    module.__dict__.update(_prelude_names)
    untouched = dict(builtins.__dict__)
    try:
        run(compile(request["source"], "solution.py", "exec"), module.__dict__)
        builtins.__dict__.update(untouched)  # a test means the builtins, not what a solution put in their place
        function = _function(module, name) if name else None
        if function is None and not is_assert:
            raise NameError(f"name {name!r} is not defined")
        if function is not None and is_assert:
            module.__dict__[name] = function()
    except BaseException as error:  # noqa: BLE001
        emit({"load": describe(error)})
        return 0
    for index, case in cases:
        try:
            if is_assert:
                run(case, module.__dict__)
                event = {"case": index, "token": tokens[str(index)]}
            else:
                event = {"case": index, "value": plain(function()(*case))}  # type: ignore[misc]
                dumps(event)
        except BaseException as error:  # noqa: BLE001
            event = {"case": index, "error": describe(error)}
        emit(event)
    return 0


def _nowhere(mode: str) -> Any:
    return open(os.devnull, mode, encoding="utf-8", errors="replace")  # noqa: PTH123


def _describe(error: BaseException) -> list[str]:
    """Name of the error's class, and its text in one short line."""
    try:
        text = " ".join(str(error).split())[:200]
    except BaseException:  # noqa: BLE001  # an error of the candidate's own making
        text = ""
    return [type(error).__name__, text]


def _function(module: types.ModuleType, name: str) -> Callable[[], Callable[..., Any]] | None:
    """What makes the named function ready to call: a plain function, or a method of a fresh `Solution`."""
    names = module.__dict__
    if callable(names.get(name)) and names[name] is not _prelude_names.get(name):
        return lambda: names[name]
    solution = names.get("Solution")
    if isinstance(solution, type) and callable(getattr(solution, name, None)):
        return lambda: getattr(solution(), name)
    if callable(names.get(name)):
        return lambda: names[name]
    return None


def _plain(value: Any) -> Any:
    """The value in JSON's terms: tuples and other sequences as lists, sets sorted where they can be."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        try:
            return [_plain(item) for item in sorted(value)]
        except TypeError:
            return [_plain(item) for item in value]
    if isinstance(value, (list, tuple)) or hasattr(value, "__iter__"):
        return [_plain(item) for item in value]
    return repr(value)
