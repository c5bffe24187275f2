"""Killable worker processes that answer one JSON message at a time, started when the first message needs them.

A deadline counts from when a worker takes the message and is enforced by SIGKILL from here. The pool never shrinks: a
worker that dies, or is retired after so many messages or so much memory, is replaced at once. A message that killed two
workers is not sent again.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonmill.verify.child import Child, ChildDied

KILL_AFTER_S = 0.5  # beyond the limit, for a worker that can report an overrun itself
_LEAST_SHARE = 0.2  # of its CPU time that a worker must have been given for an overrun to be the message's fault
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLimits:
    """What the workers of a pool may take."""

    workers: int  # processes at once
    limit_s: float  # of one message, on the clock
    memory_mib: int  # address space of a worker; 0: unbounded
    start_s: float = 60.0  # importing sympy takes 1 s, on a machine that is busy more
    start_tries: int = 5  # of a worker that is killed while it starts
    recycle_after: int = 5000  # messages after which a worker is replaced
    recycle_mib: int = 2**20  # resident memory after a message over which a worker is replaced


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a worker told, or None and why not: `worker_died`, `worker_died_twice`, `time_limit` (it had its share of
    the processor) or `machine_busy` (it had not).
    """

    told: dict[str, Any] | None
    failure: str = ""
    detail: str = ""
    duration_s: float = 0.0


@dataclass(slots=True)
class _Worker:
    """A process and what it did so far."""

    child: Child
    messages: int = 0
    cpu_s: float = 0.0  # CPU time at the end of its last message


class WorkerPool:
    """`module` is run as `python -m MODULE LIMIT_S MEMORY_MIB ARGUMENTS…`; any number of callers wait."""

    def __init__(self, module: str, limits: WorkerLimits, *arguments: str) -> None:
        self._limits = limits
        self._command: tuple[str, ...] = (
            *(sys.executable, "-P", "-m", module),
            *(str(limits.limit_s), str(limits.memory_mib), *arguments),
        )
        self._free: list[_Worker] = []
        self._all: set[Child] = set()
        self._room = asyncio.Semaphore(limits.workers)
        self._replacing: set[asyncio.Task[None]] = set()
        self._burying: set[asyncio.Task[None]] = set()
        self._closed = False
        self.retired = 0  # workers that were replaced in good health

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [child.pid for child in self._all if child.alive]

    async def ask(self, message: Mapping[str, object]) -> Answer:
        """The answer; its duration is that of the work alone, without the wait for a worker."""
        async with self._room:
            return await self._ask(message)

    def overrun(self, used_s: float) -> tuple[str, str]:
        """Failure and detail of a message that took all its time, of which `used_s` on a processor."""
        limit_s = self._limits.limit_s
        if used_s < _LEAST_SHARE * limit_s:
            return "machine_busy", f"{used_s:.1f} of {limit_s:g} s of CPU time within the deadline"
        return "time_limit", f"more than {limit_s:g} s"

    async def _ask(self, message: Mapping[str, object]) -> Answer:
        budget_s = self._limits.limit_s + KILL_AFTER_S
        spent_s, death = 0.0, ""
        for _ in range(2):
            if self._closed:
                return Answer(told=None, failure="worker_died", detail="the pool is closed")
            try:
                worker = await self._worker()
            except ChildDied as error:
                return Answer(told=None, failure="worker_died", detail=str(error))
            began = time.perf_counter()
            meter = _Meter(worker.child.pid, worker.cpu_s)
            try:
                told = await worker.child.ask(message, deadline_s=budget_s - spent_s, before_kill=meter.read)
            except ChildDied as error:
                spent_s += time.perf_counter() - began
                death = str(error)
                await self._replace(worker)
                if error.overran:
                    failure, detail = self.overrun(meter.used_s)
                    return Answer(told=None, failure=failure, detail=detail, duration_s=spent_s)
                if spent_s >= budget_s:
                    break
                continue
            except BaseException:
                burying = asyncio.create_task(self._replace(worker))
                self._burying.add(burying)
                burying.add_done_callback(self._burying.discard)
                await asyncio.shield(burying)  # a second cancellation leaves it to `close`
                raise
            worker.messages += 1
            worker.cpu_s = float(told["cpu_before_s"])
            await self._give_back(worker, int(told.get("rss", 0)))
            return Answer(told=told, duration_s=spent_s + time.perf_counter() - began)
        return Answer(told=None, failure="worker_died_twice", detail=death, duration_s=spent_s)

    async def _worker(self) -> _Worker:
        for number in range(self._limits.start_tries):
            while self._free:
                worker = self._free.pop()
                if worker.child.alive and not worker.child.exited:
                    return worker
                await self._bury(worker.child)
            if self._replacing and len(self._all) + len(self._replacing) >= self._limits.workers:
                await asyncio.wait(set(self._replacing), return_when=asyncio.FIRST_COMPLETED)
                if self._free:
                    continue
            try:
                return await self._start()
            except ChildDied as error:
                if number + 1 == self._limits.start_tries or error.overran:
                    raise
        return await self._start()

    async def _start(self) -> _Worker:
        child = await Child.start(self._command, os.environ | {"PYTHONSAFEPATH": "1"}, deadline_s=self._limits.start_s)
        if self._closed:  # meanwhile
            await child.close()
            raise ChildDied("the pool is closed")
        self._all.add(child)
        return _Worker(child, cpu_s=_cpu_s(child.pid))

    async def _give_back(self, worker: _Worker, resident: int) -> None:
        if self._closed or len(self._all) > self._limits.workers:  # a spare came while this one was starting
            await self._bury(worker.child)
            return
        worn = worker.messages >= self._limits.recycle_after
        if worn or resident > self._limits.recycle_mib * 2**20:
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
        with suppress(ChildDied):  # the next message tries again, and says why it cannot
            if len(self._all) < self._limits.workers:
                worker = await self._start()
                if self._closed or len(self._all) > self._limits.workers:
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
        if self._burying:
            await asyncio.wait(self._burying)
        for task in self._replacing:
            task.cancel()
        if self._replacing:
            await asyncio.wait(self._replacing)
        self._free.clear()
        while self._all:
            with suppress(KeyError):
                await self._all.pop().close()


class _Meter:
    """CPU time that a process used since a message was sent, read at the last moment of its life."""

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
