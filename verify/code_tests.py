"""Scores a program by the share of its question's tests that it passes, in the sandbox.

Outputs and values are compared out here; assertions that are more than a call run in a process that the solution cannot
reach, and a passed one is one whose token came back, never an exit status. A test that ends the process (or its time)
is failed, and the tests after it are run in a fresh one.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reasonmill.verify.answer import Program, last_program, split_response
from reasonmill.verify.child import ChildDied
from reasonmill.verify.code_results import CannotRun, TestResult, broken, described, failure, first_error, parse_event
from reasonmill.verify.code_suite import DirectCall, direct_call
from reasonmill.verify.outputs import same_text, same_value
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.compare import equal, truth
from reasonmill.verify.sandbox.cpp import STANDARDS, compile_job, compiler
from reasonmill.verify.sandbox.inside.checker import ACCEPTED, FAILED
from reasonmill.verify.sandbox.inside.wire import encode
from reasonmill.verify.sandbox.slots import SandboxMissing, Slot, SlotPool, job_limits
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.test_case import BadTestCase, TestSuite, parse_test_case
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "code_tests"
_BIG_OUTPUT_CHARS = 100_000  # compared in a thread: the event loop has other things to do


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
        except CannotRun as error:
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
    """One result a test, in order. Raises ChildDied when the slot was lost, and CannotRun for what `not_run` is for."""
    if suite.call == "std":
        return await _run_program(program, suite, slot, settings)
    if suite.call == "functional":
        calls = [[[encode(argument) for argument in case], {}] for case in suite.cases]
        job = _calls_job(program, suite.fn_name, calls, exact=False)
        return await _Cases(program, suite, slot, settings).run({**job, "one_list": suite.one_list})
    direct = [direct_call(source, suite.fn_name) for source in suite.cases]
    whole = [one for one in direct if one is not None]
    if len(whole) == len(direct) and len({one.function for one in whole}) == 1 and not suite.definitions:
        calls = [[one.arguments, one.keywords] for one in whole]
        job = _calls_job(program, whole[0].function, calls, exact=True)
        return await _Cases(program, suite, slot, settings, whole).run(job)
    return await _Cases(program, suite, slot, settings).run({"kind": "assertions", "source": program.source})


# ---- programs that read and write


async def _run_program(program: Program, suite: TestSuite, slot: Slot, settings: VerifySettings) -> list[TestResult]:
    limits = job_limits(settings.sandbox)
    if program.language == "cpp":
        failed = await _compile(program, slot, settings)
        if failed is not None:
            return [failed] * len(suite.cases)
    results: list[TestResult] = []
    overruns = 0
    for stdin, expected in zip(suite.cases, suite.expected, strict=True):
        if overruns >= settings.max_time_limits:
            results.append(TestResult(reason="time_limit", detail="not run: others overran"))
            continue
        kind = "execute" if program.language == "cpp" else "program"
        source = program.source if kind == "program" else ""
        outcome = await slot.run({"kind": kind, "source": source, "limits": limits}, stdin=_bytes(stdin))
        result = broken(outcome)
        if result is None and suite.checker is not None:
            result = await _check_output(suite.checker, stdin, outcome["stdout"], expected, slot, limits)
        elif result is None:
            same = await _maybe_in_thread(same_text, expected, outcome["stdout"], size=len(outcome["stdout"]))
            result = TestResult(reason="ok" if same else "wrong_answer")
        overruns += result.reason == "time_limit"
        results.append(result)
    return results


async def _compile(program: Program, slot: Slot, settings: VerifySettings) -> TestResult | None:
    if compiler() is None:
        raise CannotRun("no_verifier", "g++ is not installed: C++ programs cannot be compiled")
    fault = ""
    for standard in STANDARDS:
        outcome = await slot.run(compile_job(program.source, settings.sandbox, standard))
        if outcome["exit"] == 0:
            return None
        fault = fault or first_error(outcome["stderr"])
    return TestResult(reason="compile_error", detail=fault)


async def _check_output(
    checker: str, given: str, output: str, expected: str, slot: Slot, limits: dict[str, float]
) -> TestResult:
    """What the checker says. One that fails on the expected output as well cannot tell; one that fails on this output
    alone has met what it takes for no output at all.
    """

    async def status(judged: str) -> int:
        job = {"kind": "checker", "source": checker, "limits": limits}
        outcome = await slot.run(job, input=_bytes(given), output=_bytes(judged), expected=_bytes(expected))
        return FAILED if outcome["over_cpu"] or outcome["exit"] is None else int(outcome["exit"])

    found = await status(output)
    if found >= FAILED and (not expected or await status(expected) != ACCEPTED):
        raise CannotRun("bad_test_case", "the checker fails")
    return TestResult(reason="ok" if found == ACCEPTED else "wrong_answer")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


# ---- functions that are called


def _calls_job(program: Program, fn_name: str | None, calls: list[list[Any]], *, exact: bool) -> dict[str, Any]:
    return {"kind": "calls", "source": program.source, "fn_name": fn_name, "exact": exact, "calls": calls}


class _Cases:
    """Runs cases one after the other in one process, again from the first that has no result when it ended early. A
    case counts as the cause of the end only if it was the first of its process: then it had all the limits to itself.
    """

    def __init__(
        self,
        program: Program,
        suite: TestSuite,
        slot: Slot,
        settings: VerifySettings,
        direct: list[DirectCall] | None = None,
    ) -> None:
        self._suite = suite
        self._slot = slot
        self._limits = job_limits(settings.sandbox)
        self._max_overruns = settings.max_time_limits
        self._direct = direct
        self._results: list[TestResult | None] = [None] * len(suite.cases)
        self._tokens: list[str] = []

    async def run(self, job: dict[str, Any]) -> list[TestResult]:
        """All results, in order."""
        overruns = 0
        while (
            start := next((index for index, result in enumerate(self._results) if result is None), None)
        ) is not None:
            if overruns >= self._max_overruns:
                self._results[start] = TestResult(reason="time_limit", detail="not run: others overran")
                continue
            outcome = await self._run_from(start, job)
            for line in outcome["events"].splitlines():
                self._enter(await _maybe_in_thread(parse_event, line, size=len(line)), size=len(line))
            for index, told in self._told.items():
                self._results[index] = await self._judged(index, told, size=len(outcome["events"]))
            if self._results[start] is None:
                ended = broken(outcome) or TestResult(reason="runtime_error", detail="it ended early")
                overruns += ended.reason == "time_limit"
                self._results[start] = ended
        return [result for result in self._results if result is not None]

    async def _run_from(self, start: int, job: dict[str, Any]) -> dict[str, Any]:
        self._told: dict[int, Any] = {}
        if job["kind"] == "calls":
            calls = [[number, *call] for number, call in enumerate(job["calls"])][start:]
            return await self._slot.run({**job, "calls": calls, "limits": self._limits})
        suite = self._suite
        self._tokens = [secrets.token_hex(8) for _ in suite.cases]
        before = [[number - len(suite.definitions), source] for number, source in enumerate(suite.definitions)]
        tests = {
            "cases": [*before, *([number, source] for number, source in enumerate(suite.cases))],
            "first": start,
            "fn_name": suite.fn_name,
            "tokens": self._tokens,
        }
        return await self._slot.run({**job, "limits": self._limits}, tests=json.dumps(tests).encode("ascii"))

    def _enter(self, event: dict[str, Any], *, size: int) -> None:
        """Enter what an event tells. One that makes no sense tells nothing: its writer is not trusted."""
        if "load" in event:
            failed = failure(described(event["load"]), loading=True)
            self._results[:] = [failed if result is None else result for result in self._results]
            return
        index = event.get("case")
        if type(index) is not int or not 0 <= index < len(self._results) or self._results[index] is not None:
            return
        if "error" in event:
            self._results[index] = failure(described(event["error"]), loading=False)
        elif self._tokens:
            if event.get("token") == self._tokens[index]:
                self._results[index] = TestResult(reason="ok")
        elif "value" in event and index not in self._told:
            self._told[index] = event["value"]

    async def _judged(self, index: int, told: Any, *, size: int) -> TestResult:
        suite = self._suite
        if suite.checker is not None:
            given, output, expected = map(json.dumps, (suite.cases[index], told, suite.expected[index]))
            return await _check_output(suite.checker, given, output, expected, self._slot, self._limits)
        same = await _maybe_in_thread(self._right, index, told, size=size)
        return TestResult(reason="ok" if same else "wrong_answer")

    def _right(self, index: int, told: Any) -> bool:
        if self._direct is None:
            also = self._suite.also[index] if self._suite.also else ()
            try:
                return any(same_value(expected, told) for expected in (self._suite.expected[index], *also))
            except RecursionError:
                return False
        call = self._direct[index]
        return equal(call.expected, told) if call.compares else truth(told) is call.expected


async def _maybe_in_thread(function: Callable[..., Any], *arguments: Any, size: int) -> Any:
    if size < _BIG_OUTPUT_CHARS:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)
