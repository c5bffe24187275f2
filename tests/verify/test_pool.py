"""The pool as its users see it: many requests, few workers, workers that die."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import SandboxSettings, VerifySettings

SETTINGS = VerifySettings(
    math_workers=2, math_limit_s=1.0, sandbox=SandboxSettings(slots=2, cpu_limit_s=1.0, wall_limit_s=2.0)
)
TOWER = r"\boxed{9^{9^{9^{9}}} + x}"


def _math(answer, gold="x^2+x", name="q"):
    return VerifyRequest(
        id=name, category="math", prompt="", response=f"<think></think>\\boxed{{{answer}}}", ground_truth=gold
    )


def _code(program, name="q"):
    case = {"call_type": "assert", "assert_case": ["assert f(1) == 1"]}
    return VerifyRequest(id=name, category="code", prompt="", response=f"```python\n{program}\n```", test_case=case)


def _with_pool(work, settings=SETTINGS):
    async def run():
        async with VerifierPool(settings) as pool:
            return await work(pool)

    return asyncio.run(run())


def _children():
    own = os.getpid()
    return {int(pid) for pid in Path(f"/proc/{own}/task/{own}/children").read_text().split()}


def test_cheap_requests_start_no_process():
    before = _children()

    async def work(pool):
        verdicts = [await pool.verify(_math(str(n), gold="3")) for n in range(50)]
        return verdicts, _children()

    verdicts, during = _with_pool(work)
    assert [n for n, verdict in enumerate(verdicts) if verdict.outcome == "pass"] == [3]
    assert during == before


def test_two_hundred_requests_at_once_on_two_workers_each_get_their_own_verdict():
    async def work(pool):
        requests = [_math(f"x(x+{1 + n % 2}) + {n} - {n}", name=str(n)) for n in range(150)]
        requests += [_code(f"def f(x):\n    return {1 + n % 2}", name=str(n)) for n in range(50)]
        return await asyncio.gather(*map(pool.verify, requests))

    verdicts = _with_pool(work)
    assert [verdict.outcome for verdict in verdicts] == ["pass", "fail"] * 100


def test_a_worker_killed_between_and_during_jobs_is_replaced():
    async def work(pool):
        assert (await pool.verify(_math("x(x+1)"))).outcome == "pass"
        for worker in list(pool._math._workers._all):
            os.kill(worker.pid, signal.SIGKILL)
        assert (await pool.verify(_math("x^2+x+0"))).outcome == "pass"
        slow = asyncio.create_task(pool.verify(_math(r"\sum_{k=1}^{400000} \sin(k^2 x)")))
        await asyncio.sleep(0.3)
        for worker in list(pool._math._workers._all):
            os.kill(worker.pid, signal.SIGKILL)
        verdict = await slow
        assert verdict.reason in ("time_limit", "wrong_answer", "worker_died_twice", "machine_busy")
        return await pool.verify(_math("x+x^2"))

    assert _with_pool(work).outcome == "pass"


def test_a_request_that_kills_its_worker_twice_is_put_aside_for_good():
    async def work(pool):
        pool._math._workers._command = ("/bin/sh", "-c", r"printf '\2\0\0\0\0\0\0\0{}'; head -c 9 >/dev/null")
        verdict = await pool.verify(_math("x(x+1)"))
        started = len(pool._math._workers._all)
        again = await pool.verify(_math("x(x+1)"))
        return verdict, again, len(pool._math._workers._all) == started

    verdict, again, untouched = _with_pool(work)
    assert (verdict.outcome, verdict.reason, verdict.transient) == ("not_run", "worker_died_twice", False)
    assert again.reason == "worker_died_twice"
    assert untouched


def test_a_worker_that_does_not_start_is_a_passing_trouble():
    async def work(pool):
        pool._math._workers._command = ("/bin/false",)
        return await pool.verify(_math("x(x+1)"))

    verdict = _with_pool(work)
    assert (verdict.reason, verdict.transient) == ("worker_died", True)


def test_a_monstrous_answer_ends_and_the_pool_goes_on():
    async def work(pool):
        tower = VerifyRequest(id="t", category="math", prompt="", response=TOWER, ground_truth="x+1")
        first = await pool.verify(tower)
        return first, await pool.verify(_math("x(x+1)"))

    first, second = _with_pool(work)
    assert first.outcome != "pass"
    assert second.outcome == "pass"


def test_a_deadline_counts_from_the_start_of_the_job_and_not_from_queueing():
    async def work(pool):
        naps = [_code(f"import time\ntime.sleep(0.6)\ndef f(x):\n    return 1  # {n}") for n in range(8)]
        started = time.monotonic()
        verdicts = await asyncio.gather(*map(pool.verify, naps))
        return verdicts, time.monotonic() - started

    settings = VerifySettings(sandbox=SandboxSettings(slots=2, wall_limit_s=2.0))
    verdicts, elapsed_s = _with_pool(work, settings)
    assert elapsed_s > 2.0  # the last waited for longer than a job may take
    assert {verdict.outcome for verdict in verdicts} == {"pass"}
    assert sum(verdict.duration_s for verdict in verdicts) < 2.5 * elapsed_s


def test_a_cancelled_request_frees_its_place_at_once():
    async def work(pool):
        await asyncio.gather(*(pool.verify(_code("def f(x): return 1")) for _ in range(2)))
        naps = [asyncio.create_task(pool.verify(_code("import time\ntime.sleep(60)"))) for _ in range(2)]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        for nap in naps:
            nap.cancel()
        await asyncio.gather(*naps, return_exceptions=True)
        verdict = await pool.verify(_code("def f(x): return 1"))
        return verdict, time.monotonic() - started, [nap.cancelled() for nap in naps]

    verdict, waited_s, cancelled = _with_pool(work)
    assert verdict.outcome == "pass"
    assert cancelled == [True, True]
    assert waited_s < 60


def test_no_process_outlives_the_pool():
    before = _children()

    async def work(pool):
        await asyncio.gather(pool.verify(_math("x(x+1)")), pool.verify(_code("def f(x): return 1")))
        return _children()

    assert len(_with_pool(work) - before) == 2
    assert _children() == before


_VICTIM = """
import asyncio
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import SandboxSettings, VerifySettings

async def main():
    settings = VerifySettings(math_workers=1, sandbox=SandboxSettings(slots=1))
    case = {"call_type": "assert", "assert_case": ["assert True"]}
    nap = VerifyRequest(id="n", category="code", prompt="", test_case=case,
                        response="```python\\nimport os, time\\nos.fork()\\ntime.sleep(60)\\n```")
    algebra = VerifyRequest(id="m", category="math", prompt="", response="x(x+1)", ground_truth="x^2+x")
    async with VerifierPool(settings) as pool:
        await pool.verify(algebra)
        print("running", flush=True)
        await pool.verify(nap)

asyncio.run(main())
"""


def test_a_killed_parent_takes_workers_slots_and_jobs_with_it():
    victim = subprocess.Popen([sys.executable, "-P", "-c", _VICTIM], stdout=subprocess.PIPE, text=True)
    try:
        assert victim.stdout.readline() == "running\n"
        begun = time.monotonic()
        while len(started := _descendants(victim.pid)) < 5 and time.monotonic() < begun + 20:
            time.sleep(0.1)
        assert len(started) >= 5  # worker, bubblewrap, slot, job and its child
    finally:
        victim.kill()
        victim.wait()
        victim.stdout.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def _descendants(pid):
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return children + [below for child in children for below in _descendants(child)]


def test_leaving_the_pool_with_requests_open_ends_them():
    async def run():
        async with VerifierPool(SETTINGS) as pool:
            task = asyncio.create_task(pool.verify(_code("import time\ntime.sleep(60)")))
            await asyncio.sleep(0.5)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    before = _children()
    asyncio.run(run())
    assert _children() == before


def test_equal_comparisons_are_made_once():
    async def work(pool):
        first = await pool.verify(_math("x(x+1)"))
        for worker in list(pool._math._workers._all):
            os.kill(worker.pid, signal.SIGKILL)
        pool._math._workers._command = ("/bin/false",)
        return first, await pool.verify(_math("x(x+1)"))

    first, second = _with_pool(work)
    assert first.outcome == second.outcome == "pass"


_PROSE = "The mitochondria make most of the energy of a cell."


@pytest.mark.parametrize("category", ["science", "other"])
def test_a_reference_in_prose_is_left_to_a_judge_unless_it_is_repeated(category):
    def verify(response):
        request = VerifyRequest(id="q", category=category, prompt="", response=response, ground_truth=_PROSE)
        return _with_pool(lambda pool: pool.verify(request))

    assert verify(_PROSE).outcome == "pass"
    verdict = verify("They power the cell.")
    assert (verdict.outcome, verdict.reason, verdict.final) == ("not_run", "no_verifier", True)


@pytest.mark.parametrize(
    ("category", "gold", "outcome", "reason"),
    [
        ("math", "4", "pass", "ok"),
        ("science", "4", "pass", "ok"),
        ("other", "4", "pass", "ok"),
        ("other", "5", "fail", "wrong_answer"),
        ("math", None, "not_run", "unverifiable_gold"),
        ("science", None, "not_run", "no_verifier"),
        ("other", "", "not_run", "no_verifier"),
        ("multiturn", "4", "not_run", "no_verifier"),
        ("if", None, "not_run", "no_constraints"),
        ("poetry", "4", "not_run", "no_verifier"),
    ],
)
def test_a_category_has_its_verifier_or_says_that_there_is_none(category, gold, outcome, reason):
    request = VerifyRequest(id="q", category=category, prompt="", response=r"\boxed{4}", ground_truth=gold)
    verdict = _with_pool(lambda pool: pool.verify(request))
    assert (verdict.outcome, verdict.reason, verdict.transient) == (outcome, reason, False)


def test_a_gold_that_is_no_expression_is_no_score():
    verdict = _with_pool(lambda pool: pool.verify(_math("1", gold=r"\frac{")))
    assert (verdict.outcome, verdict.reason) == ("not_run", "unverifiable_gold")


def test_the_state_of_the_sandbox_is_known():
    async def work(pool):
        return pool.sandbox_available, await pool.probe_sandbox(), pool.sandbox_available

    assert _with_pool(work) == (None, None, None)
