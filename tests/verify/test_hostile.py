"""Everything in hostile_solutions.py and hostile_programs.py, many at once: none passes, none gets out, nothing stays,
and honest programs are judged as ever beside and after them. In every mode that this user can have.
"""

import asyncio
import importlib.util
import os
from pathlib import Path

import pytest

from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import Slot, SlotPool, job_limits, usable_modes
from reasonmill.verify.settings import SandboxSettings, VerifySettings


def _beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hostile_solutions, hostile_programs = _beside("hostile_solutions"), _beside("hostile_programs")
SETTINGS = VerifySettings(
    max_time_limits=1,
    sandbox=SandboxSettings(
        slots=4,
        cpu_limit_s=0.5,
        wall_limit_s=2.0,
        memory_mib=256,
        output_mib=1,
        scratch_mib=8,
        max_processes=16,
        compile_cpu_limit_s=2.0,
        compile_memory_mib=512,
    ),
)
SECRET = 'add("dire_", "secret") == "dire_secret"'
SUITES = {
    "calls": {
        "call_type": "assert",
        "fn_name": "add",
        "assert_case": ["assert add(17, 25) == 42", "assert add(-3, 3) == 0", f"assert {SECRET}"],
    },
    "assertions": {
        "call_type": "assert",
        "fn_name": "add",
        "assert_case": [
            "def check(candidate):\n    for a, b in ((17, 25), (-3, 3)):\n        assert candidate(a, b) == a + b",
            "check(add)",
            "assert abs(add(1, 2) - 3) < 1e-6 and add(2, 2) in (4,) and 9 in [add(4, 5)]",
            "import math\nassert math.isclose(add(1.5, 2), 3.5) and len([add(1, 1)]) == 1 and not add(1, 1) != 2",
            f"assert {SECRET}",
        ],
    },
    "functional": {
        "call_type": "functional",
        "fn_name": "add",
        "inputs": [[17, 25], [-3, 3], ["dire_", "secret"]],
        "outputs": [42, 0, "dire_secret"],
    },
}
HONEST = "def add(a, b):\n    return a + b"
ECHO = {"call_type": "std", "inputs": ["42\n", "-7\n"], "outputs": ["42", "-7"]}

ONE_NUMBER = {"call_type": "std", "inputs": ["1"], "outputs": ["42"]}


@pytest.fixture(params=usable_modes())
def pool(request, monkeypatch):
    """A loop, its slots, and all outcomes of jobs; the slots leave no process behind."""
    outcomes = []
    run = Slot.run

    async def recorded(slot, job, **attached):
        outcome = await run(slot, job, **attached)
        outcomes.append(outcome)
        return outcome

    monkeypatch.setattr(Slot, "run", recorded)
    before = _descendants(os.getpid())
    with asyncio.Runner() as runner:
        slots = SlotPool(SETTINGS.sandbox, (request.param,))
        yield runner, slots, outcomes
        runner.run(slots.close())
    assert _descendants(os.getpid()) <= before


def _escapes(outcomes):
    told = [line for outcome in outcomes for line in (outcome["stdout"] + outcome["stderr"]).splitlines()]
    return [line for line in told if "ESCAPED" in line]


def _descendants(pid):
    try:
        children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()
    return children.union(*map(_descendants, children))


async def _verdict(slots, program, test_case, language="python"):
    request = VerifyRequest(
        id="q", category="code", prompt="", response=f"```{language}\n{program}\n```", test_case=test_case
    )
    return await check_program(request, slots, SETTINGS)


async def _honest_ones_are_judged_right(slots, number=100):
    verdicts = await asyncio.gather(
        *(_verdict(slots, HONEST, SUITES[("calls", "assertions", "functional")[n % 3]]) for n in range(number))
    )
    assert {(verdict.outcome, verdict.detail[:1]) for verdict in verdicts} <= {("pass", "3"), ("pass", "4")}
    traces = await asyncio.gather(
        *(_verdict(slots, hostile_programs.PYTHON["what others left"], ECHO) for _ in range(SETTINGS.sandbox.slots))
    )
    assert {verdict.reason for verdict in traces} == {"wrong_answer"}


def test_no_hostile_solution_passes(pool):
    runner, slots, outcomes = pool

    async def work():
        names = [(name, kind) for name in hostile_solutions.SOLUTIONS for kind in SUITES]
        verdicts = await asyncio.gather(
            *(_verdict(slots, hostile_solutions.SOLUTIONS[name], SUITES[kind]) for name, kind in names)
        )
        assert {names[n]: v for n, v in enumerate(verdicts) if v.outcome != "fail"} == {}
        await _honest_ones_are_judged_right(slots)

    runner.run(work())
    assert _escapes(outcomes) == []


def test_no_hostile_program_escapes_or_stays(pool):
    runner, slots, outcomes = pool

    async def work():
        programs = [(name, "python", source) for name, source in hostile_programs.PYTHON.items()]
        programs += [(name, "cpp", source) for name, source in hostile_programs.CPP.items()]
        verdicts = await asyncio.gather(
            *(_verdict(slots, source, ONE_NUMBER, language) for _, language, source in programs)
        )
        ends = {name + " " + kind: v for (name, kind, _), v in zip(programs, verdicts, strict=True)}
        assert {name: v for name, v in ends.items() if v.outcome != "fail"} == {}
        await _honest_ones_are_judged_right(slots)
        return ends

    ends = runner.run(work())
    assert _escapes(outcomes) == []
    for name, reasons in {
        "memory of several children python": {"memory_limit", "time_limit"},
        "memory of several children cpp": {"memory_limit", "time_limit"},
        "work left to children python": {"time_limit"},
        "sleep python": {"time_limit"},
        "no signal heard python": {"time_limit"},
        "a flood of output python": {"output_limit"},
        "a disk of empty files python": {"output_limit"},
        "the compiler reads cpp": {"compile_error"},
    }.items():
        assert ends[name].reason in reasons, (name, ends[name])


def test_the_search_through_memory_would_find_what_is_there(pool):
    runner, slots, _ = pool
    program = hostile_solutions.READS_MEMORY + 'kept = "dire_" + "secret"[:]\nprint(memory_holds_the_secret())'

    async def work():
        async with slots.lease() as slot:
            return await slot.run({"kind": "program", "source": program, "limits": job_limits(SETTINGS.sandbox)})

    assert runner.run(work())["stdout"] == "True\n"
