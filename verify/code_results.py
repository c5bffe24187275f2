"""How one test of a program ended, read from what its sandbox slot reports. Everything that a program could have
written itself is only read as far as it makes sense.
"""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """How one test ended; `reason` is `ok` or a code of why not."""

    __test__ = False

    reason: str
    detail: str = ""


class CannotRun(Exception):
    """The suite cannot be run: reason of `not_run` and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def broken(outcome: dict[str, Any]) -> TestResult | None:
    """Why a process ended other than by itself with status 0 and within its limits; None if it did not."""
    if outcome["out_of_memory"]:  # and then perhaps much time in the kernel, which looks for more
        return TestResult(reason="memory_limit")
    if outcome["over_cpu"] or outcome["over_wall"]:
        return TestResult(reason="time_limit")
    if outcome["output_full"] or outcome["over_files"]:
        return TestResult(reason="output_limit")
    if outcome["over_processes"]:
        return TestResult(reason="runtime_error", detail="too many processes")
    if "MemoryError" in outcome["stderr"] or "bad_alloc" in outcome["stderr"]:
        return TestResult(reason="memory_limit")
    if outcome["exit"] == 0:
        return None
    ended = f"signal {outcome['signal']}" if outcome["signal"] is not None else f"exit status {outcome['exit']}"
    return TestResult(reason="runtime_error", detail=last_line(outcome["stderr"]) or ended)


def failure(error: tuple[str, str], *, loading: bool) -> TestResult:
    """The result that an exception's class and text stand for."""
    name, text = error
    detail = f"{name}: {text}" if text else name
    if name == "MemoryError":
        return TestResult(reason="memory_limit")
    if loading:
        return TestResult(reason="compile_error" if name == "SyntaxError" else "runtime_error", detail=detail)
    return TestResult(reason="wrong_answer" if name == "AssertionError" else "runtime_error", detail=detail)


def parse_event(line: str) -> dict[str, Any]:
    """An event; an empty one for what is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def described(value: Any) -> tuple[str, str]:
    """Class and text of an error as the process told them."""
    if isinstance(value, list) and len(value) == 2:
        return str(value[0])[:100], str(value[1])[:200]
    return "Error", ""


def first_error(text: str) -> str:
    """What a compiler complains of first; the last line where it names no error."""
    errors = [line for line in text.splitlines() if " error: " in line]
    return errors[0].strip()[:200] if errors else last_line(text)


def last_line(text: str) -> str:
    """The last line with anything in it, shortened."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
