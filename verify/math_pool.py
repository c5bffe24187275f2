"""Comparisons by algebra in killable worker processes, started when the first comparison needs them.

A deadline counts from when a worker takes the comparison and is enforced by SIGKILL from here. The pool never shrinks:
a worker that dies, or is retired after so many comparisons or so much memory, is replaced at once. A comparison that
killed two workers is not made again.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from reasonmill.verify.child import Child, ChildDied
from reasonmill.verify.math_answer import Comparison
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "math_verify"
START_LIMIT_S = 60.0  # importing sympy takes 1 s, on a machine that is busy more
KILL_AFTER_S = 0.5  # beyond the limit, for a worker that can report an overrun itself
_LEAST_SHARE = 0.2  # of its CPU time that a worker must have been given for an overrun to be the answer's fault
_START_TRIES = 5  # of a worker that is killed while it starts
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class _Worker:
    """A process and what it did so far."""

    child: Child
    comparisons: int = 0
    cpu_s: float = 0.0  # CPU time at the end of its last comparison


class MathPool:
    """At most `settings.num_math_workers` workers; any number of callers wait."""

    def __init__(self, settings: VerifySettings) -> None:
        self._settings = settings
        self._command: tuple[str, ...] = (
            *(sys.executable, "-P", "-m", "reasonmill.verify.math_worker"),
            *(str(settings.math_limit_s), str(settings.math_memory_mib)),
        )
        self._free: list[_Worker] = []
        self._all: set[Child] = set()
        self._room = asyncio.Semaphore(settings.num_math_workers)
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = False
        self.retired = 0  # workers that were replaced in good health

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [child.pid for child in self._all if child.alive]

    async def compare(self, comparison: Comparison) -> Verdict:
        """The verdict; its duration is that of the comparison alone."""
        message = {"gold": comparison.gold, "answer": comparison.answer, "running": comparison.running}
        async with self._room:
            return await self._compare(message)

    async def compare_plain(self, *, gold: str, response: str) -> Verdict:
        """What Math-Verify by itself says of a whole response, for audits."""
        async with self._room:
            return await self._compare({"gold": gold, "answer": response, "plain": True})

    async def _compare(self, message: Mapping[str, object]) -> Verdict:
        budget_s = self._settings.math_limit_s + KILL_AFTER_S
        spent_s, death = 0.0, ""
        for _ in range(2):
            try:
                worker = await self._worker()
            except ChildDied as error:
                return not_run("worker_died", verifier=VERIFIER, detail=str(error))
            began = time.perf_counter()
            meter = _Meter(worker.child.pid, worker.cpu_s)
            try:
                answer = await worker.child.ask(message, deadline_s=budget_s - spent_s, before_kill=meter.read)
            except ChildDied as error:
                spent_s += time.perf_counter() - began
                death = str(error)
                await self._replace(worker)
                if error.overran:
                    return replace(self._overrun(meter.used_s), duration_s=spent_s)
                if spent_s >= budget_s:
                    break
                continue
            except BaseException:
                await asyncio.shield(self._replace(worker))
                raise
            worker.comparisons += 1
            worker.cpu_s = float(answer["cpu_before_s"])
            await self._give_back(worker, int(answer.get("rss", 0)))
            told = self._overrun(answer["cpu_s"]) if "over_limit" in answer["result"] else _verdict(answer)
            if answer["result"] == "gold_over_limit" and not told.transient:
                told = not_run("unverifiable_gold", verifier=VERIFIER, detail=answer["detail"])
            return replace(told, duration_s=spent_s + time.perf_counter() - began)
        return not_run("worker_died_twice", verifier=VERIFIER, detail=death, duration_s=spent_s)

    def _overrun(self, used_s: float) -> Verdict:
        limit_s = self._settings.math_limit_s
        if used_s < _LEAST_SHARE * limit_s:
            detail = f"{used_s:.1f} of {limit_s:g} s of CPU time within the deadline"
            return not_run("machine_busy", verifier=VERIFIER, detail=detail)
        return scored(0.0, verifier=VERIFIER, reason="time_limit", detail=f"more than {limit_s:g} s")

    async def _worker(self) -> _Worker:
        for number in range(_START_TRIES):
            while self._free:
                worker = self._free.pop()
                if worker.child.alive and not worker.child.exited:
                    return worker
                await self._bury(worker.child)
            if self._replacing and len(self._all) + len(self._replacing) >= self._settings.num_math_workers:
                await asyncio.wait(set(self._replacing), return_when=asyncio.FIRST_COMPLETED)
                if self._free:
                    continue
            try:
                return await self._start()
            except ChildDied as error:
                if number + 1 == _START_TRIES or error.overran:
                    raise
        return await self._start()

    async def _start(self) -> _Worker:
        child = await Child.start(self._command, os.environ | {"PYTHONSAFEPATH": "1"}, deadline_s=START_LIMIT_S)
        self._all.add(child)
        return _Worker(child, cpu_s=_cpu_s(child.pid))

    async def _give_back(self, worker: _Worker, resident: int) -> None:
        if len(self._all) > self._settings.num_math_workers:  # a spare came while this one was starting
            await self._bury(worker.child)
            return
        worn = worker.comparisons >= self._settings.math_recycle_after
        if worn or resident > self._settings.math_recycle_mib * 2**20:
            self.retired += 1
            await self._replace(worker)
        else:
            self._free.append(worker)

    async def _replace(self, worker: _Worker) -> None:
        """Bury a worker; the next one starts in the background, so that nobody has to wait for it."""
        await self._bury(worker.child)
        if self._closed:
            return
        task = asyncio.get_running_loop().create_task(self._start_spare())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _start_spare(self) -> None:
        with suppress(ChildDied):  # the next comparison tries again, and says why it cannot
            if len(self._all) < self._settings.num_math_workers:
                worker = await self._start()
                if self._closed or len(self._all) > self._settings.num_math_workers:
                    await self._bury(worker.child)
                else:
                    self._free.append(worker)

    async def settled(self) -> None:
        """Return when no replacement is under way."""
        while self._replacing:
            await asyncio.wait(self._replacing)

    async def _bury(self, child: Child) -> None:
        self._all.discard(child)
        await child.close()

    async def close(self) -> None:
        """Kill all workers."""
        self._closed = True
        for task in self._replacing:
            task.cancel()
        if self._replacing:
            await asyncio.wait(self._replacing)
        self._free.clear()
        while self._all:
            with suppress(KeyError):
                await self._all.pop().close()


class _Meter:
    """CPU time that a process used since a comparison began, read at the last moment of its life."""

    def __init__(self, pid: int, before_s: float) -> None:
        self._pid, self._before_s = pid, before_s
        self.used_s = 0.0

    def read(self) -> None:
        self.used_s = max(0.0, _cpu_s(self._pid) - self._before_s)


def _cpu_s(pid: int) -> float:
    """User and system time of a process so far, 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _verdict(answer: dict[str, object]) -> Verdict:
    detail = str(answer["detail"])
    match answer["result"]:
        case "equal":
            return scored(1.0, verifier=VERIFIER, reason="ok")
        case "different":
            return scored(0.0, verifier=VERIFIER, reason="wrong_answer")
        case "no_answer":
            return scored(0.0, verifier=VERIFIER, reason="wrong_answer", detail="the answer is no expression")
        case "out_of_memory":
            return scored(0.0, verifier=VERIFIER, reason="memory_limit", detail=detail)
        case _:
            return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail)
