"""Code verification: CPU time of one HumanEval-sized job, from request to verdict, against a process per job.

CPU time is that of the whole process tree and hardly depends on who else uses the machine; the contestants take turns.
"""

import asyncio
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import Timings, interleave
from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import SlotPool, usable_modes
from reasonmill.verify.settings import SandboxSettings, VerifySettings

_JOBS = {"ci": 40, "node": 200}  # of one contestant in one round
_ROUNDS = {"ci": 3, "node": 9}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

SOLUTION = """
from typing import List
import math, re, collections, itertools, functools, heapq


def has_close_elements(numbers: List[float], threshold: float) -> bool:
    for index, one in enumerate(numbers):
        for other_index, other in enumerate(numbers):
            if index != other_index and abs(one - other) < threshold:
                return True
    return False
"""
ASSERTIONS = [
    "assert has_close_elements([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3) == True",
    "assert has_close_elements([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.05) == False",
]
CHECK = "def check(candidate):\n" + "".join(f"    {line}\n" for line in ASSERTIONS).replace(
    "has_close_elements", "candidate"
)
PROGRAM = SOLUTION + "\n".join(ASSERTIONS)  # what a process per job runs


class _Ours:
    """A slot of our own sandbox and one request, verified again and again."""

    def __init__(self, runner: asyncio.Runner, mode: str, assertions: list[str]) -> None:
        self._runner = runner
        self._settings = VerifySettings(sandbox=SandboxSettings(slots=1))
        self._slots = SlotPool(self._settings.sandbox, (mode,))  # type: ignore[arg-type]
        self._request = VerifyRequest(
            id="has_close_elements",
            category="code",
            prompt="",
            response=f"<think></think>\n```python{SOLUTION}```",
            test_case={"call_type": "assert", "fn_name": "has_close_elements", "assert_case": assertions},
        )

    def run(self, jobs: int) -> None:
        """Verify `jobs` times, one after the other."""
        self._runner.run(self._verify(jobs))

    async def _verify(self, jobs: int) -> None:
        for _ in range(jobs):
            verdict = await check_program(self._request, self._slots, self._settings)
            assert verdict.outcome == "pass", verdict

    @property
    def pids(self) -> tuple[int, ...]:
        """Outermost processes of the slot."""
        return self._slots.pids

    def close(self) -> None:
        """End the slot."""
        self._runner.run(self._slots.close())


class _Process:
    """A process per job. bubblewrap does not wait for what it started, so the job tells its CPU time itself, without
    that of its own end.
    """

    def __init__(self, command: list[str], *, told: bool) -> None:
        self._command = [*command, "-c", PROGRAM + "\nimport time\nprint(time.process_time())"]
        self._told = told
        self.cpu_s = 0.0  # of jobs that nobody waited for

    def run(self, jobs: int) -> None:
        """Start `jobs` processes, one after the other."""
        for _ in range(jobs):
            done = subprocess.run(self._command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            self.cpu_s += float(done.stdout) if self._told else 0.0


def _run_in_place(passed: "multiprocessing.managers.ListProxy[str]") -> None:
    exec(PROGRAM, {})
    passed.append("passed")


def _manager_and_process(jobs: int) -> None:
    """As human-eval, LiveCodeBench and the trainers that follow them check each answer: no isolation at all."""
    context = multiprocessing.get_context("fork")
    for _ in range(jobs):
        with context.Manager() as manager:
            passed = manager.list()
            process = context.Process(target=_run_in_place, args=(passed,))
            process.start()
            process.join()
            assert list(passed) == ["passed"]


def measure(scale: Scale) -> Iterator[Figure]:
    """CPU time per job of every contestant, our ratio to bubblewrap per job, and the cost of each layer."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise ValueError("bwrap is not installed (Debian and Ubuntu: apt-get install bubblewrap)")
    jobs, python = _JOBS[scale], str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    with asyncio.Runner() as runner:
        ours = {
            f"slot_{mode}_{kind}": _Ours(runner, mode, assertions)
            for mode in usable_modes()
            for kind, assertions in (("calls", ASSERTIONS), ("assertions", [f"{CHECK}\ncheck(has_close_elements)"]))
        }
        isolation = ("--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")
        isolated = _Process([bwrap, *isolation, python, "-I", "-S"], told=True)
        contestants: dict[str, Callable[[int], None]] = {
            "python_per_job": _Process([python, "-I", "-S"], told=False).run,
            "bwrap_per_job": isolated.run,
            "manager_and_process_per_job": _manager_and_process,
            **{name: one.run for name, one in ours.items()},
        }
        try:
            timings = interleave(
                {name: lambda run=run: run(jobs) for name, run in contestants.items()},  # type: ignore[misc]
                rounds=_ROUNDS[scale],
                clock=lambda: isolated.cpu_s + _cpu_s([pid for one in ours.values() for pid in one.pids]),
            )
        finally:
            for one in ours.values():
                one.close()
    yield from _figures(timings, jobs, f"slot_{usable_modes()[0]}")
    yield from _layers(python, scale)


def _figures(timings: Timings, jobs: int, ours: str) -> Iterator[Figure]:
    for name, seconds in timings.seconds.items():
        yield Figure(
            name=f"cpu_ms_{name}", value=statistics.median(seconds) / jobs * 1e3, unit="ms/job", better="lower"
        )
    for peer in ("bwrap", "manager_and_process", "python"):
        target = 6.0 if peer == "bwrap" else None
        yield timings.figure(f"{peer}_over_slot", f"{peer}_per_job", f"{ours}_calls", target=target, jobs=jobs)
    yield timings.figure(
        "bwrap_over_slot_with_tests_apart",
        "bwrap_per_job",
        f"{ours}_assertions",
        meaning="tests that are more than calls run in a second process",
    )
    best = timings.best(f"{ours}_calls") / jobs
    yield Figure(
        name="jobs_per_s_two_cores", value=2.0 / best, unit="jobs/s", target=500.0, detail={"cpu_ms": best * 1e3}
    )


def _layers(python: str, scale: Scale) -> Iterator[Figure]:
    """What each layer adds to a fork of a warm interpreter, in a process of its own that measures itself."""
    script = Path(__file__).with_name("sandbox_layers.py")
    package_root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [python, "-I", "-S", str(script), package_root, str(_JOBS[scale] * 4)],
        capture_output=True,
        text=True,
        check=True,
    )
    before = 0.0
    for line in done.stdout.splitlines():
        name, cpu_ms, faults = line.split()
        yield Figure(
            name=f"layers_up_to_{name}_cpu_ms",
            value=float(cpu_ms),
            unit="ms/job",
            better="lower",
            detail={"this_layer_ms": round(float(cpu_ms) - before, 3), "page_faults_per_job": float(faults)},
        )
        before = float(cpu_ms)


def _cpu_s(slots: list[int]) -> float:
    """CPU seconds of this process, of the children it has waited for, and of slots and what they have waited for."""
    times = os.times()
    total = time.process_time() + times.children_user + times.children_system
    for pid in slots:
        for one in (pid, *_children(pid)):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / _TICKS_PER_S
    return total


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
