"""Programming queries and a scripted teacher's answers to them: right at the first, second, third attempt or never.

Every way of being wrong is there: a wrong result, an error, an endless loop (twice at most, for it costs a time limit),
a missing code block, and an exit with status 0 before anything is tested.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from reasonmill.engine.embedded.program_problems import PROBLEMS, Problem, Value

PROGRAM_SOURCE = "toy_programs"
MAX_PROGRAMS = 2 * len(PROBLEMS)
MAX_ENDLESS = 2

Kind = Literal["right", "wrong_result", "error", "endless_loop", "no_block", "early_exit"]
_CHEAP_WRONGS: tuple[Kind, ...] = ("wrong_result", "error", "no_block", "early_exit")
_PLANS = (1, 2, 1, 3, 2, 1, None, 2, 3)  # the attempt that is right; None: never. By number of the query.


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramQuery:
    """One programming question, its test case, and the kind of each scripted answer, in the order of the attempts."""

    question: str
    test_case: dict[str, Any]
    kinds: tuple[Kind, ...]
    texts: tuple[str, ...]


def program_queries(count: int, *, seed: int) -> list[ProgramQuery]:
    """The first `count` queries (at most MAX_PROGRAMS): each problem as a function and as a whole program."""
    if not 0 <= count <= MAX_PROGRAMS:
        raise ValueError(f"count {count} is outside 0..{MAX_PROGRAMS}")
    rng = random.Random(f"programs/{seed}")
    queries = []
    for number in range(count):
        problem, as_program = PROBLEMS[number // 2], number % 2 == 1
        kinds = _kinds(number, rng)
        texts = tuple(_answer(problem, kind, as_program=as_program) for kind in kinds)
        queries.append(
            ProgramQuery(
                question=(_program_question if as_program else _function_question)(problem),
                test_case=_std_case(problem) if as_program else _function_case(problem, number),
                kinds=kinds,
                texts=texts,
            )
        )
    return queries


def _kinds(number: int, rng: random.Random) -> tuple[Kind, ...]:
    right_at = _PLANS[number % len(_PLANS)]
    num_wrong = 3 if right_at is None else right_at - 1
    wrongs: list[Kind] = rng.sample(_CHEAP_WRONGS, num_wrong)
    if right_at == 3 and number // len(_PLANS) < MAX_ENDLESS and number % len(_PLANS) == 3:
        wrongs[0] = "endless_loop"
    return tuple(wrongs) if right_at is None else (*wrongs, "right")


def _function_question(problem: Problem) -> str:
    signature = f"{problem.name}({', '.join(problem.parameters)})"
    return f"Write a Python function `{signature}` that returns {problem.returns}."


def _program_question(problem: Problem) -> str:
    lines = ", then ".join(
        f"{name} ({_shape(value)})" for name, value in zip(problem.parameters, problem.cases[0][0], strict=True)
    )
    return (
        f"Complete this task with a whole Python program. On standard input, one line each: {lines}. "
        f"Print {problem.returns}."
    )


def _shape(value: Value) -> str:
    if isinstance(value, list):
        return "whole numbers with blanks between them"
    return "a line of text" if isinstance(value, str) else "a whole number"


def _function_case(problem: Problem, number: int) -> dict[str, Any]:
    if number % 4 == 0:
        inputs, outputs = zip(*problem.cases, strict=True)
        return {
            "call_type": "functional",
            "fn_name": problem.name,
            "inputs": [list(arguments) for arguments in inputs],
            "outputs": list(outputs),
        }
    cases = [
        f"assert {problem.name}({', '.join(map(repr, arguments))}) == {result!r}" for arguments, result in problem.cases
    ]
    return {"call_type": "assert", "fn_name": problem.name, "assert_case": cases}


def _std_case(problem: Problem) -> dict[str, Any]:
    inputs = ["".join(_line(argument) + "\n" for argument in arguments) for arguments, _ in problem.cases]
    return {"call_type": "std", "inputs": inputs, "outputs": [_line(result) + "\n" for _, result in problem.cases]}


def _line(value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _answer(problem: Problem, kind: Kind, *, as_program: bool) -> str:
    think = f"The result should be {problem.returns}. I write it as a function and check the small cases in my head."
    if kind == "no_block":
        return (
            f"<think>{think}</think><answer>Go through the input once and keep what is needed, then return it.</answer>"
        )
    source = _SOURCES[kind](problem)
    if as_program:
        source += "\n\n" + _main(problem)
    return f"<think>{think}</think><answer>Here is the solution.\n\n```python\n{source}```\n</answer>"


def _main(problem: Problem) -> str:
    """Reads one line for each argument, calls the function, prints the result."""
    readers = []
    for name, value in zip(problem.parameters, problem.cases[0][0], strict=True):
        reader = "input()" if isinstance(value, str) else "int(input())"
        readers.append(f"{name} = " + ("list(map(int, input().split()))" if isinstance(value, list) else reader))
    star = "*" if isinstance(problem.cases[0][1], list) else ""
    return "\n".join([*readers, f"print({star}{problem.name}({', '.join(problem.parameters)}))"]) + "\n"


def _with_first_line(problem: Problem, line: str) -> str:
    head = f"def {problem.name}({', '.join(problem.parameters)}):\n"
    assert head in problem.right, f"{problem.name}: the right source does not define {head!r}"
    return problem.right.replace(head, f"{head}    {line}\n")


_SOURCES: dict[Kind, Callable[[Problem], str]] = {
    "right": lambda problem: problem.right,
    "wrong_result": lambda problem: problem.wrong,
    "error": lambda problem: _with_first_line(problem, f"limits = {{}}[{problem.name!r}]"),
    "endless_loop": lambda problem: _with_first_line(problem, "while True:\n        pass"),
    "early_exit": lambda problem: "import sys\n\nsys.exit(0)\n\n\n" + problem.right,
}
