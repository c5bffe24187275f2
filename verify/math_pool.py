"""Comparisons by algebra in killable worker processes, started when the first comparison needs them. The pool never
shrinks: a dead worker is replaced by the next comparison, and a comparison that killed two workers is not made again.
"""

import asyncio
import os
import sys
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace

from reasonmill.verify.child import Child, ChildDied
from reasonmill.verify.math_answer import Comparison
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "math_verify"
START_LIMIT_S = 60.0  # importing sympy takes 1 s, on a machine that is busy more
WALL_PER_CPU = 4.0  # the worker's own limit is CPU time; on a shared core that is more on the clock
KILL_AFTER_S = 2.0  # beyond that, a worker is given this long to report the overrun


class MathPool:
    """At most `size` workers; any number of callers wait, and a deadline counts from when a worker takes the job."""

    def __init__(self, *, size: int, limit_s: float, memory_mib: int, cache_size: int) -> None:
        self._limit_s = limit_s
        self._command = (sys.executable, "-P", "-m", "reasonmill.verify.math_worker", str(limit_s), str(memory_mib))
        self._free: list[Child] = []
        self._all: set[Child] = set()
        self._room = asyncio.Semaphore(size)
        self._cache: OrderedDict[Comparison, Verdict] = OrderedDict()
        self._cache_size = cache_size

    async def compare(self, comparison: Comparison) -> Verdict:
        """The verdict; equal comparisons are made once while they are remembered."""
        known = self._cache.get(comparison)
        if known is not None:
            self._cache.move_to_end(comparison)
            return known
        async with self._room:
            started = time.perf_counter()
            verdict = replace(await self._compare(comparison), duration_s=time.perf_counter() - started)
        if not verdict.transient and self._cache_size:
            self._cache[comparison] = replace(verdict, duration_s=0.0)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return verdict

    async def _compare(self, comparison: Comparison) -> Verdict:
        message = {"gold": comparison.gold, "answer": comparison.answer}
        death = ""
        for _ in range(2):
            try:
                worker = await self._worker()
            except ChildDied as error:
                return not_run("worker_died", verifier=VERIFIER, detail=str(error))
            try:
                answer = await worker.ask(message, deadline_s=WALL_PER_CPU * self._limit_s + KILL_AFTER_S)
            except ChildDied as error:
                death = str(error)
                await self._bury(worker)
                continue
            except BaseException:
                await asyncio.shield(self._bury(worker))
                raise
            self._free.append(worker)
            return _verdict(answer)
        return not_run("worker_died_twice", verifier=VERIFIER, detail=death)

    async def _worker(self) -> Child:
        while self._free:
            worker = self._free.pop()
            if worker.alive:
                return worker
            await self._bury(worker)
        worker = await Child.start(self._command, os.environ | {"PYTHONSAFEPATH": "1"}, deadline_s=START_LIMIT_S)
        self._all.add(worker)
        return worker

    async def _bury(self, worker: Child) -> None:
        self._all.discard(worker)
        await worker.close()

    async def close(self) -> None:
        """Kill all workers."""
        self._free.clear()
        while self._all:
            with suppress(KeyError):
                await self._all.pop().close()


def _verdict(answer: dict[str, object]) -> Verdict:
    detail = str(answer["detail"])
    match answer["result"]:
        case "equal":
            return scored(1.0, verifier=VERIFIER, reason="ok")
        case "different":
            return scored(0.0, verifier=VERIFIER, reason="wrong_answer")
        case "over_limit":
            return scored(0.0, verifier=VERIFIER, reason="time_limit", detail=detail)
        case _:
            return not_run("unverifiable_gold", verifier=VERIFIER, detail=detail)
