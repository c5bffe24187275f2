"""Tests of a code question as released, made uniform. A test case that cannot be read is an error, never an empty
suite, and a suite without tests is never passed.
"""

import ast
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from reasonmill.verify.code_suite import defines_check, fault, missing_module, tests_nothing

Call = Literal["assert", "std", "functional"]


class BadTestCase(ValueError):
    """The test case cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TestSuite:
    """Tests of one question. Expected outputs stay in this process.

    `cases` are: source text of assertions (assert), standard inputs (std), or lists of arguments (functional).
    `expected` are outputs as text (std) or JSON values (functional); empty for assertions.
    """

    __test__ = False  # for pytest: no test of ours

    call: Call
    fn_name: str | None
    cases: tuple[Any, ...]
    expected: tuple[Any, ...]
    definitions: tuple[str, ...] = ()  # what the assertions share; no tests themselves
    checker: str | None = None  # Python source that judges an output where several are right
    also: tuple[tuple[Any, ...], ...] = ()  # functional: what else is right, by case, where a text has two readings
    one_list: bool = False  # functional: a list of arguments may be the only argument, if the function takes one

    def first(self, number: int) -> "TestSuite":
        """The first `number` tests."""
        return replace(self, cases=self.cases[:number], expected=self.expected[:number], also=self.also[:number])


def parse_test_case(test_case: dict[str, Any] | str) -> TestSuite:
    """Read the released object {"call_type": "assert" | "std" | "functional", ...}, or its JSON text (arXiv 2505.14464
    dataset card). Without a call type the keys that are there decide. Raises BadTestCase.
    """
    if isinstance(test_case, str):
        try:
            test_case = json.loads(test_case)
        except (ValueError, RecursionError) as error:
            raise BadTestCase(f"not JSON: {error}") from None
    if not isinstance(test_case, dict):
        raise BadTestCase(f"not an object but {type(test_case).__name__}")
    fn_name = test_case.get("fn_name") or None
    if not isinstance(fn_name, str | None):
        raise BadTestCase(f"fn_name is {fn_name!r}")
    match _call_type(test_case):
        case "assert":
            return _assertions(_listed(test_case, "assert_case"), fn_name)
        case "std":
            stdins, stdouts, checker = _inputs_and_outputs(test_case)
            return TestSuite(
                call="std",
                fn_name=None,
                cases=tuple(as_text(value) for value in stdins),
                expected=tuple(as_text(value) for value in stdouts),
                checker=checker,
            )
        case "functional":
            if fn_name is None:
                raise BadTestCase("functional tests without fn_name")
            return _functional(test_case, fn_name)
        case other:
            raise BadTestCase(f"unknown call_type {other!r}")


def _functional(test_case: dict[str, Any], fn_name: str) -> TestSuite:
    """Without a call type the outputs may be APPS's, each in a list of its own."""
    inputs, outputs, checker = _inputs_and_outputs(test_case)
    as_values = not any(isinstance(value, str) for value in inputs)
    readings = [_readings(value, as_values=as_values) for value in outputs]
    if any(map(_holds_nan, (first for first, *_ in readings))):
        raise BadTestCase("an output is not a number, which equals nothing")
    if test_case.get("call_type") is None and all(isinstance(one[0], list) and len(one[0]) == 1 for one in readings):
        readings = [[*one, one[0][0]] for one in readings]
    return TestSuite(
        call="functional",
        fn_name=fn_name,
        cases=tuple(_arguments(value) for value in inputs),
        expected=tuple(first for first, *_ in readings),
        also=tuple(tuple(others) for _, *others in readings),
        checker=checker,
        one_list=all(isinstance(value, str) and value.lstrip().startswith("[") for value in inputs),
    )


def _call_type(test_case: dict[str, Any]) -> Any:
    named = test_case.get("call_type")
    if named is not None:
        return named
    if test_case.get("assert_case") is not None:
        return "assert"
    if test_case.get("inputs") is not None:
        return "functional" if test_case.get("fn_name") else "std"
    return None


def _listed(test_case: dict[str, Any], key: str) -> list[Any]:
    value = test_case.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadTestCase(f"{key} is no list but {type(value).__name__}")
    return value


def _assertions(sources: list[Any], fn_name: str | None) -> TestSuite:
    """Sources that only define something are shared by the others. HumanEval's `check(candidate)` is a test even where
    nobody calls it.
    """
    for number, source in enumerate(sources):
        if not isinstance(source, str):
            raise BadTestCase(f"assert_case {number} is no text")
    if (reason := fault(tuple(sources)) or missing_module(tuple(sources))) is not None:
        raise BadTestCase(reason)
    definitions = tuple(source for source in sources if tests_nothing(source))
    cases = tuple(source for source in sources if not tests_nothing(source))
    if not cases and fn_name is not None and fn_name.isidentifier() and any(map(defines_check, definitions)):
        cases = (f"check({fn_name})",)
    return TestSuite(call="assert", fn_name=fn_name, cases=cases, expected=(), definitions=definitions)


def _inputs_and_outputs(test_case: dict[str, Any]) -> tuple[list[Any], list[Any], str | None]:
    """Inputs, as many outputs, and the checker. With a checker the outputs may be missing: it is given empty ones."""
    checker = test_case.get("checker") or None
    if checker is not None:
        if not isinstance(checker, str):
            raise BadTestCase(f"checker is no text but {type(checker).__name__}")
        if (reason := fault((checker,))) is not None:
            raise BadTestCase(f"the checker is no Python: {reason}")
    inputs, outputs = _listed(test_case, "inputs"), _listed(test_case, "outputs")
    if checker is not None and not outputs:
        outputs = [""] * len(inputs)
    _same_length(inputs, outputs)
    return inputs, outputs, checker


def _same_length(inputs: list[Any], outputs: list[Any]) -> None:
    if len(inputs) != len(outputs):
        raise BadTestCase(f"{len(inputs)} inputs but {len(outputs)} outputs")


def as_text(value: Any) -> str:
    """Standard input or output: text as it is, a list as lines of space-separated values (arXiv 2505.08311 Fig. 2)."""
    if isinstance(value, list):
        return "\n".join(" ".join(map(str, line)) if isinstance(line, list) else str(line) for line in value)
    if isinstance(value, str | int | float):
        return str(value)
    raise BadTestCase(f"an input or output is {type(value).__name__}")


def _arguments(value: Any) -> list[Any]:
    """Arguments of one call: a list of them, or text with its JSON, or text with one JSON value a line."""
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, int | float):
        return [value]
    if not isinstance(value, str):
        raise BadTestCase(f"the arguments {value!r} are no list")
    try:
        whole = json.loads(value)
    except RecursionError as error:
        raise BadTestCase(f"arguments are nested too deep: {error}") from None
    except ValueError:
        try:
            return [json.loads(line) for line in value.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise BadTestCase(f"arguments are not JSON: {error}") from None
    return whole if isinstance(whole, list) else [whole]


def _readings(value: Any, *, as_values: bool) -> list[Any]:
    """What an expected value may mean. Text that is JSON counts as what it says; where the arguments are no texts it
    may as well be a text, and one that is Python, such as `True`, may be its value.
    """
    if not isinstance(value, str):
        return [value]
    try:
        return [json.loads(value), *([value] if as_values else [])]
    except RecursionError as error:
        raise BadTestCase(f"an output is nested too deep: {error}") from None
    except ValueError:
        pass
    try:
        return [value, json.loads(json.dumps(ast.literal_eval(value)))]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return [value]


def _holds_nan(value: Any) -> bool:
    if isinstance(value, list | dict):
        return any(map(_holds_nan, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and value != value
