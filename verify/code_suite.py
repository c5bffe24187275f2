"""What tests of a Python solution ask for, worked out from their source alone: which of them are mere calls with an
expected value, and whether they test anything at all. Tests are trusted, solutions never seen here.
"""

import ast
import builtins
import sys
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reasonmill.verify.sandbox.inside import wire

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign)


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectCall:
    """`assert function(*arguments, **keywords) == expected`; without `compares` its truth is compared with `expected`.
    Arguments are on the wire.
    """

    function: str
    arguments: list[wire.Wire]
    keywords: dict[str, wire.Wire]
    expected: Any
    compares: bool


def fault(sources: tuple[str, ...]) -> str | None:
    """What is wrong with the source of an assertion; None if they are all Python."""
    for number, source in enumerate(sources):
        try:
            parsed(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return f"assertion {number}: {error}"
    return None


def missing_module(sources: tuple[str, ...]) -> str | None:
    """Which import of an assertion the sandbox cannot make, as it has Python's own library alone; None if there is
    none.
    """
    for number, source in enumerate(sources):
        for statement in parsed(source).body:
            names = [statement.module or ""] if isinstance(statement, ast.ImportFrom) else []
            names += [one.name for one in statement.names] if isinstance(statement, ast.Import) else []
            for name in names:
                if name.partition(".")[0] not in sys.stdlib_module_names:
                    return f"assertion {number} imports {name!r}, which the sandbox does not have"
    return None


@lru_cache(maxsize=256)  # a question is answered many times
def parsed(source: str) -> ast.Module:
    """The syntax tree, without Python's warnings about it. Raises SyntaxError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def tests_nothing(source: str) -> bool:
    """Whether a test only defines names for others: it asserts, raises and calls nothing."""
    return all(
        (
            isinstance(statement, _DEFINITIONS)
            and not (
                isinstance(statement, ast.Assign) and any(isinstance(node, ast.Call) for node in ast.walk(statement))
            )
        )
        or isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in parsed(source).body
    )


def defines_check(source: str) -> bool:
    """Whether it defines HumanEval's `check(candidate)`."""
    return any(
        isinstance(statement, ast.FunctionDef) and statement.name == "check" and len(statement.args.args) == 1
        for statement in parsed(source).body
    )


def direct_call(source: str, fn_name: str | None) -> DirectCall | None:
    """The test as a call of the solution with literal arguments, if that is all it is."""
    match parsed(source).body:
        case [ast.Assert(test=test, msg=None | ast.Constant())]:
            return _call_and_value(test, fn_name)
    return None


def _call_and_value(test: ast.expr, fn_name: str | None) -> DirectCall | None:
    match test:
        case ast.Compare(left=ast.Call() as call, ops=[ast.Eq()], comparators=[value]):
            return _direct(call, value, fn_name, compares=True)
        case ast.Compare(left=ast.Call() as call, ops=[ast.Is()], comparators=[ast.Constant(value=None) as value]):
            return _direct(call, value, fn_name, compares=True)
        case ast.Call():
            return _direct(test, ast.Constant(value=True), fn_name, compares=False)
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call):
            return _direct(call, ast.Constant(value=False), fn_name, compares=False)
    return None


def _direct(call: ast.Call, value: ast.expr, fn_name: str | None, *, compares: bool) -> DirectCall | None:
    if not isinstance(call.func, ast.Name) or any(keyword.arg is None for keyword in call.keywords):
        return None
    name = call.func.id
    if name != fn_name and (fn_name or name in vars(builtins) or name in _prelude_names()):
        return None
    try:
        return DirectCall(
            function=name,
            arguments=[wire.encode(ast.literal_eval(one), _refuse) for one in call.args],
            keywords={str(one.arg): wire.encode(ast.literal_eval(one.value), _refuse) for one in call.keywords},
            expected=ast.literal_eval(value),
            compares=compares,
        )
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None  # not all literals


def _refuse(value: Any) -> wire.Wire:
    raise ValueError(f"{value!r} is no plain value")


def _prelude_names() -> dict[str, Any]:
    from reasonmill.verify.sandbox.inside import prelude

    if not prelude.NAMES:
        prelude.load()
    return prelude.NAMES
