"""Verdicts of thousands of tasks while workers and sandbox slots are killed at random, against an undisturbed run; run
by hand:

python -P tests/verify/kill_trials.py [TASKS] [SECONDS BETWEEN KILLS]
"""

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import suppress

from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(math_workers=2, cache_size=0, sandbox=SandboxSettings(slots=3, cpu_limit_s=20.0))
PROGRAMS = ("return a + b", "return a", "raise OSError", "return (a + b) if a != 1 else None")
CASE = {
    "call_type": "assert",
    "fn_name": "add",
    "assert_case": [
        "assert add(1, 2) == 3",
        "assert add(5, 0) == 5",
        "import math\nassert math.isclose(add(1.5, 2), 3.5)",
    ],
}


def task(number):
    """A task of one of three kinds: code, algebra, or a rule."""
    common = {"id": str(number), "prompt": ""}
    match number % 10:
        case 0 | 1 | 2:
            response = f"```python\ndef add(a, b):\n    {PROGRAMS[number // 10 % len(PROGRAMS)]}\n```"
            return VerifyRequest(**common, category="code", response=response, test_case=CASE)
        case 3:
            answer = rf"\sin({number}x)+{number % 3}-{number % 2}"
            return VerifyRequest(**common, category="math", response=answer, ground_truth=rf"\sin({number}x)")
        case _:
            return VerifyRequest(**common, category="math", response=rf"\boxed{{{number % 7}}}", ground_truth="3")


async def run(tasks, pause_s, rng):
    """Outcome, score and reason of each task; how many processes were killed."""
    kills = 0

    async def killer(pool):
        nonlocal kills
        while True:
            await asyncio.sleep(pause_s)
            victims = [*pool.algebra_pids, *pool._slots.pids]
            if victims:
                with suppress(ProcessLookupError):  # it is dead already
                    os.kill(rng.choice(victims), signal.SIGKILL)
                    kills += 1

    told = []
    async with VerifierPool(SETTINGS) as pool:
        killing = asyncio.create_task(killer(pool)) if pause_s else None
        async for request, verdict in pool.verify_all(map(task, range(tasks))):
            while verdict.transient or verdict.reason == "worker_died_twice":  # as the engine asks again
                verdict = await pool.verify(request)
            told.append((verdict.outcome, verdict.score, verdict.reason))
        if killing is not None:
            killing.cancel()
    return told, kills


def main():
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    pause_s = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    results = []
    for pause in (0.0, pause_s):
        began = time.monotonic()
        told, kills = asyncio.run(run(tasks, pause, random.Random(7)))
        results.append(told)
        print(f"{tasks} tasks, {kills} processes killed, {time.monotonic() - began:.0f} s", flush=True)
    different = [number for number, pair in enumerate(zip(*results, strict=True)) if pair[0] != pair[1]]
    print(f"{len(different)} verdicts differ {different[:10]}; kinds: {sorted(set(results[0]))}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
