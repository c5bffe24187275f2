"""Slots that are killed while they work: the verdicts are those of an undisturbed run."""

import asyncio
import os
import random
import signal

from reasonmill.verify.code_tests import check_program
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.sandbox.slots import SlotPool
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(sandbox=SandboxSettings(slots=3, cpu_limit_s=5.0, memory_mib=256))


def test_killed_slots_change_no_verdict():
    programs = ["def add(a, b):\n    return a + b", "def add(a, b):\n    return a", "def add(a, b):\n    raise OSError"]
    case = {"call_type": "assert", "fn_name": "add", "assert_case": ["assert add(1, 2) == 3", "assert add(1, 0) == 1"]}

    async def run(kills):
        slots = SlotPool(SETTINGS.sandbox)
        drawn = random.Random(7)

        async def verdict(number):
            while True:  # as the engine does with a check that could not be made
                response = f"```python\n{programs[number % 3]}\n```"
                request = VerifyRequest(id=str(number), category="code", prompt="", response=response, test_case=case)
                found = await check_program(request, slots, SETTINGS)
                if not (found.transient or found.reason == "worker_died_twice"):
                    return found.outcome, found.score, found.reason

        async def killer():
            for _ in range(kills):
                await asyncio.sleep(0.05)
                if slots.pids:
                    os.kill(drawn.choice(slots.pids), signal.SIGKILL)

        async with asyncio.TaskGroup() as group:
            group.create_task(killer())
            tasks = [group.create_task(verdict(number)) for number in range(150)]
        await slots.close()
        return [task.result() for task in tasks]

    quiet = asyncio.run(run(0))
    assert {found[2] for found in quiet} == {"ok", "wrong_answer", "runtime_error"}
    assert asyncio.run(run(12)) == quiet
