"""Scores a program by the share of its question's tests that it passes, in the sandbox.

A passed assertion is one whose token came back, never an exit status; outputs and return values are compared out here.
A test that ends the process (or its time) is failed, and the tests after it are run in a fresh one.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from reasonmill.verify.answer import Program, last_program, split_response
from reasonmill.verify.child import ChildDied
from reasonmill.verify.outputs import same_text, same_value
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.cpp import compile_job, compiler
from reasonmill.verify.sandbox.slots import SandboxMissing, Slot, SlotPool, job_limits
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.test_case import BadTestCase, TestSuite, parse_test_case
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "code_tests"
_BIG_OUTPUT_CHARS = 100_000  # compared in a thread: the event loop has other things to do
_CPU_SLACK_S = 0.25  # the kernel ends a process a tick or so before or after its limit


@dataclass(frozen=True, kw_only=True, slots=True)
class TestResult:
    """How one test ended; `reason` is `ok` or a code of why not."""

    __test__ = False

    reason: str
    detail: str = ""


class _CannotRun(Exception):
    """The suite cannot be run: reason of `not_run` and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


async def check_program(request: VerifyRequest, slots: SlotPool, settings: VerifySettings) -> Verdict:
    """Verdict on the last program of a response. What is wrong with the question or this machine is `not_run`."""
    if request.test_case is None:
        return not_run("no_tests", verifier=VERIFIER, detail="the question has no test case")
    try:
        suite = parse_test_case(request.test_case).first(settings.max_tests)
    except BadTestCase as error:
        return not_run("bad_test_case", verifier=VERIFIER, detail=str(error))
    if not suite.cases:
        return not_run("no_tests", verifier=VERIFIER, detail="the test case holds no test")
    parts = split_response(request.response)
    if not parts.finished:
        return scored(0.0, verifier=VERIFIER, reason="unfinished")
    program = last_program(parts.answer or "", defines=suite.fn_name)
    if program is None:
        return scored(0.0, verifier=VERIFIER, reason="no_program")
    if program.language == "cpp" and suite.call != "std":
        return scored(0.0, verifier=VERIFIER, reason="no_program", detail="a Python program is asked for")
    return await _in_a_slot(program, suite, slots, settings)


async def _in_a_slot(program: Program, suite: TestSuite, slots: SlotPool, settings: VerifySettings) -> Verdict:
    death = ""
    for _ in range(2):
        try:
            async with slots.lease() as slot:
                started = time.perf_counter()
                try:
                    results = await run_suite(program, suite, slot, settings)
                except ChildDied as error:
                    death = str(error)
                    continue
                return replace(_verdict(results), duration_s=time.perf_counter() - started)
        except SandboxMissing as missing:
            return not_run("no_sandbox", verifier=VERIFIER, detail=str(missing))
        except ChildDied as error:
            return not_run("sandbox_died", verifier=VERIFIER, detail=str(error))
        except _CannotRun as error:
            return not_run(error.reason, verifier=VERIFIER, detail=str(error))
    return not_run("worker_died_twice", verifier=VERIFIER, detail=death)


def _verdict(results: list[TestResult]) -> Verdict:
    passed = sum(result.reason == "ok" for result in results)
    score = passed / len(results)
    first = next((result for result in results if result.reason != "ok"), TestResult(reason="ok"))
    verdict = scored(score, verifier=VERIFIER, reason=first.reason, detail=f"{passed} of {len(results)}")
    if verdict.outcome == "pass":
        return scored(score, verifier=VERIFIER, reason="ok", detail=verdict.detail)
    detail = f"{verdict.detail}; {first.detail}" if first.detail else verdict.detail
    return scored(score, verifier=VERIFIER, reason=first.reason, detail=detail)


async def run_suite(program: Program, suite: TestSuite, slot: Slot, settings: VerifySettings) -> list[TestResult]:
    """One result a test, in order. Raises ChildDied when the slot was lost, and for what `not_run` is for."""
    limits = job_limits(settings.sandbox)
    if suite.call != "std":
        return await _run_cases(program, suite, slot, limits, settings.max_time_limits)
    if program.language == "cpp":
        failure = await _compile(program, slot, settings)
        if failure is not None:
            return [failure] * len(suite.cases)
    results: list[TestResult] = []
    overruns = 0
    for stdin, expected in zip(suite.cases, suite.expected, strict=True):
        if overruns >= settings.max_time_limits:
            results.append(TestResult(reason="time_limit", detail="not run: others overran"))
            continue
        kind = "execute" if program.language == "cpp" else "program"
        job = {"kind": kind, "source": program.source, "stdin": stdin, "limits": limits}
        result = await _judge_output(await slot.run(job), expected, limits)
        overruns += result.reason == "time_limit"
        results.append(result)
    return results


async def _compile(program: Program, slot: Slot, settings: VerifySettings) -> TestResult | None:
    if compiler() is None:
        raise _CannotRun("no_verifier", "g++ is not installed: C++ programs cannot be compiled")
    outcome = await slot.run(compile_job(program.source, settings.sandbox))
    if outcome["exit"] == 0:
        return None
    return TestResult(reason="compile_error", detail=_last_line(outcome["stderr"]))


async def _judge_output(outcome: dict[str, Any], expected: str, limits: dict[str, float]) -> TestResult:
    broken = _broken(outcome, limits)
    if broken is not None:
        return broken
    same = await _maybe_in_thread(same_text, expected, outcome["stdout"], size=len(outcome["stdout"]))
    return TestResult(reason="ok") if same else TestResult(reason="wrong_answer")


async def _run_cases(
    program: Program, suite: TestSuite, slot: Slot, limits: dict[str, float], max_time_limits: int
) -> list[TestResult]:
    """Run cases one after the other in one process, again from the first that has no result when it ended early. A
    case counts as the cause of the end only if it was the first of its process: then it had all the limits to itself.
    """
    results: list[TestResult | None] = [None] * len(suite.cases)
    tokens = [secrets.token_hex(8) for _ in suite.cases]
    overruns = 0
    while (start := _first_open(results)) is not None:
        if overruns >= max_time_limits:
            results[start] = TestResult(reason="time_limit", detail="not run: others overran")
            continue
        job = {
            "kind": "cases",
            "call": suite.call,
            "source": program.source,
            "fn_name": suite.fn_name,
            "cases": list(enumerate(suite.cases))[start:],
            "tokens": {str(index): tokens[index] for index in range(start, len(tokens))},
            "limits": limits,
        }
        outcome = await slot.run(job)
        await _read_events(outcome["events"], suite, tokens, results)
        if results[start] is None:
            results[start] = _broken(outcome, limits) or TestResult(reason="runtime_error", detail="it ended early")
            overruns += results[start] == TestResult(reason="time_limit")
    return [result for result in results if result is not None]


def _first_open(results: list[TestResult | None]) -> int | None:
    return next((index for index, result in enumerate(results) if result is None), None)


async def _read_events(events: str, suite: TestSuite, tokens: list[str], results: list[TestResult | None]) -> None:
    """Enter the results that the events tell. An event that makes no sense tells nothing: its writer is not trusted."""
    for line in events.splitlines():
        event = await _maybe_in_thread(_parse_event, line, size=len(line))
        if "bad" in event and (fault := suite.fault()) is not None:
            raise _CannotRun("bad_test_case", fault)
        if "load" in event:
            failure = _failure(_described(event["load"]), loading=True)
            results[:] = [failure if result is None else result for result in results]
            return
        index = event.get("case")
        if not isinstance(index, int) or not 0 <= index < len(results) or results[index] is not None:
            continue
        if "error" in event:
            results[index] = _failure(_described(event["error"]), loading=False)
        elif suite.call == "assert":
            if event.get("token") == tokens[index]:
                results[index] = TestResult(reason="ok")
        elif "value" in event:
            same = await _maybe_in_thread(_same_value, suite.expected[index], event["value"], size=len(line))
            results[index] = TestResult(reason="ok" if same else "wrong_answer")


def _parse_event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _same_value(expected: Any, actual: Any) -> bool:
    try:
        return same_value(expected, actual)
    except RecursionError:
        return False


async def _maybe_in_thread(function: Callable[..., Any], *arguments: Any, size: int) -> Any:
    if size < _BIG_OUTPUT_CHARS:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


def _described(value: Any) -> tuple[str, str]:
    """Class and text of an error as the process told them."""
    if isinstance(value, list) and len(value) == 2:
        return str(value[0])[:100], str(value[1])[:200]
    return "Error", ""


def _failure(error: tuple[str, str], *, loading: bool) -> TestResult:
    name, text = error
    detail = f"{name}: {text}" if text else name
    if name == "MemoryError":
        return TestResult(reason="memory_limit")
    if loading:
        return TestResult(reason="compile_error" if name == "SyntaxError" else "runtime_error", detail=detail)
    return TestResult(reason="wrong_answer" if name == "AssertionError" else "runtime_error", detail=detail)


def _broken(outcome: dict[str, Any], limits: dict[str, float]) -> TestResult | None:
    """Why a process ended other than by itself with status 0; None if it did not."""
    if outcome["over_wall"] or (outcome["cpu_s"] >= limits["cpu_s"] - _CPU_SLACK_S and outcome["signal"] is not None):
        return TestResult(reason="time_limit")
    if outcome["output_full"]:
        return TestResult(reason="output_limit")
    if outcome.get("out_of_memory") or "MemoryError" in outcome["stderr"] or "bad_alloc" in outcome["stderr"]:
        return TestResult(reason="memory_limit")
    if outcome["exit"] == 0:
        return None
    ended = f"signal {outcome['signal']}" if outcome["signal"] is not None else f"exit status {outcome['exit']}"
    return TestResult(reason="runtime_error", detail=_last_line(outcome["stderr"]) or ended)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
