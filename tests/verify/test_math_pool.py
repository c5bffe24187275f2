"""The algebra workers as a pool: deadlines, replacement, retirement, quarantine, and use from anywhere."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.cache import VerdictCache
from reasonmill.verify.math_answer import Comparison
from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import not_run, scored

SETTINGS = VerifySettings(math_workers=2, math_limit_s=2.0)
TOWER = "9^{9^{9^{9}}} + x"


def _request(answer, gold, name="q"):
    return VerifyRequest(id=name, category="math", prompt="", response=f"\\boxed{{{answer}}}", ground_truth=gold)


def _mixed(number):
    """A request and whether it passes: a fifth of them need algebra, as in real traces or more."""
    right = number % 3 != 0
    if number % 5:
        return _request(str(number if right else number + 1), str(number), str(number)), right
    gold = rf"\sin({number} x)"
    return _request(rf"\sin({number if right else number + 1} x)+0", gold, str(number)), right


def _with_math_pool(work, settings=SETTINGS):
    async def run():
        pool = MathPool(settings)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


def test_an_overrun_ends_at_its_deadline_and_is_not_tried_again():
    async def work(pool):
        await pool.compare(Comparison(gold="x^2", answer="x^2+1-1"))
        began = time.monotonic()
        verdict = await pool.compare(Comparison(gold="x", answer=TOWER))
        return verdict, time.monotonic() - began

    verdict, elapsed_s = _with_math_pool(work)
    assert verdict.reason in ("time_limit", "machine_busy")
    assert 2.0 <= verdict.duration_s <= elapsed_s


def test_a_gold_that_is_too_hard_is_no_fault_of_the_answer():
    verdict = _with_math_pool(lambda pool: pool.compare(Comparison(gold="{" * 3000 + "1" + "}" * 3000, answer="x")))
    assert verdict.outcome == "not_run"


def test_a_comparison_that_takes_too_long_is_the_fault_of_a_huge_gold_or_else_of_the_answer():
    huge = "2^{10^{10^{10}}}"

    async def work(pool):
        pairs = [(huge, "5"), (huge, "3^{10^{10^{10}}}"), ("x", TOWER)]
        return await asyncio.gather(*(pool.compare(Comparison(gold=gold, answer=answer)) for gold, answer in pairs))

    *huge_gold, huge_answer = _with_math_pool(work, VerifySettings(math_workers=2, math_limit_s=0.5))
    assert {verdict.reason for verdict in huge_gold} <= {"unverifiable_gold", "machine_busy"}
    assert huge_answer.reason in ("time_limit", "machine_busy")


def test_the_pool_is_at_full_size_after_workers_died():
    async def work(pool):
        pairs = [Comparison(gold="x^2", answer=f"x \\cdot x + {n}") for n in range(4)]
        await asyncio.gather(*map(pool.compare, pairs))
        before = set(pool.pids)
        hard = [Comparison(gold="x", answer=TOWER + f"+{n}") for n in range(2)]
        await asyncio.gather(*map(pool.compare, hard))
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        verdict = await pool.compare(Comparison(gold="y^2", answer=r"y \cdot y \cdot 1"))
        await asyncio.gather(*map(pool.compare, pairs))
        await pool.settled()
        return before, set(pool.pids), verdict

    before, after, verdict = _with_math_pool(work)
    assert (verdict.outcome, verdict.reason, verdict.detail) == ("pass", "ok", "")
    assert len(before) == len(after) == 2
    assert not before & after


@pytest.mark.parametrize("worn", [{"math_recycle_after": 3}, {"math_recycle_mib": 1}])
def test_a_worker_is_retired_by_count_and_by_memory(worn):
    async def work(pool):
        verdicts = [await pool.compare(Comparison(gold="x^2", answer=f"x^2+{n}-{n}")) for n in range(4)]
        await pool.settled()
        return verdicts, pool.retired, len(pool.pids)

    verdicts, retired, alive = _with_math_pool(work, VerifySettings(math_workers=1, **worn))
    assert {verdict.outcome for verdict in verdicts} == {"pass"}
    assert retired >= 1
    assert alive == 1


def _with_kills(number, *, every):
    """Outcomes of so many mixed requests, while a worker is killed after every so many verdicts; and how many were."""
    rng = random.Random(5)

    async def work():
        requests = [_mixed(n) for n in range(number)]
        given, kills = [], 0
        async with VerifierPool(VerifySettings(math_workers=2, cache_size=0)) as pool:
            async for request, verdict in pool.verify_all(request for request, _ in requests):
                while verdict.transient:  # as the engine does with a check that could not be made
                    verdict = await pool.verify(request)
                given.append(verdict.outcome)
                if len(given) % every == 0 and pool._math.pids:
                    os.kill(rng.choice(pool._math.pids), signal.SIGKILL)
                    kills += 1
        return given, ["pass" if right else "fail" for _, right in requests], kills

    return asyncio.run(work())


def test_verdicts_stay_the_same_while_workers_are_killed_at_random():
    given, right, kills = _with_kills(60, every=15)
    assert given == right
    assert kills >= 3


@pytest.mark.slow
def test_a_thousand_verdicts_stay_the_same_while_workers_are_killed_at_random():
    given, right, kills = _with_kills(1000, every=100)
    assert given == right
    assert kills >= 5


def test_verdicts_come_in_order_or_as_they_come():
    requests = [_request(TOWER, "x", "slow"), *(_request(str(n), "3", str(n)) for n in range(100))]

    async def work(*, in_order):
        async with VerifierPool(SETTINGS) as pool:
            return [one.id async for one, _ in pool.verify_all(requests, in_order=in_order, max_open=8)]

    assert asyncio.run(work(in_order=True)) == [one.id for one in requests]
    came = asyncio.run(work(in_order=False))
    assert came[-1] == "slow"
    assert sorted(came) == sorted(one.id for one in requests)


def test_requests_are_drawn_no_faster_than_they_are_judged():
    drawn = 0

    async def source():
        nonlocal drawn
        for number in range(500):
            drawn += 1
            yield _request(str(number), "3", str(number))

    async def work():
        ahead = 0
        async with VerifierPool(SETTINGS) as pool:
            done = 0
            async for _ in pool.verify_all(source(), max_open=16):
                done += 1
                ahead = max(ahead, drawn - done)
        return ahead

    assert asyncio.run(work()) <= 16


def test_leaving_a_stream_of_verdicts_early_cancels_the_rest():
    async def work():
        async with VerifierPool(SETTINGS) as pool:
            async for _ in pool.verify_all(_request(TOWER + f"+{n}", "x") for n in range(50)):
                break
            return len(asyncio.all_tasks())

    began = time.monotonic()
    asyncio.run(work())
    assert time.monotonic() - began < 50


def test_any_number_of_threads_may_use_one_pool():
    got = {}

    def work(pool, number):
        requests = [_mixed(n)[0] for n in range(number, number + 8)]
        got[number] = [verdict.outcome for _, verdict in pool.verify_all(requests)]

    with BlockingPool(VerifySettings(math_workers=2, math_limit_s=30.0)) as pool:  # nothing here may be cut off
        threads = [threading.Thread(target=work, args=(pool, n)) for n in range(0, 48, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pool.verify(_request("4", "4")).outcome == "pass"
        came = {one.id for one, _ in pool.verify_all((_mixed(n)[0] for n in range(9)), in_order=False, max_open=4)}
    assert {n: got[n] for n in sorted(got)} == {
        start: ["pass" if _mixed(n)[1] else "fail" for n in range(start, start + 8)] for start in range(0, 48, 8)
    }
    assert came == {str(n) for n in range(9)}
    assert not [thread for thread in threading.enumerate() if thread.name == "verifier-pool"]


def test_a_blocking_pool_that_is_not_open_says_so():
    with pytest.raises(RuntimeError, match="with BlockingPool"):
        BlockingPool(SETTINGS).verify(_request("4", "4"))


def test_a_cancelled_future_ends_its_check_and_leaving_ends_them_all():
    with BlockingPool(SETTINGS) as pool:
        assert pool.verify(_request("x(x+1)", "x^2+x")).outcome == "pass"
        futures = [pool.submit(_request(TOWER + f"+{n}", "x")) for n in range(8)]
        futures[0].cancel()
    assert all(future.cancelled() or future.done() for future in futures)


_AFTER_TORCH = """
import threading, torch
from reasonmill.verify.blocking import BlockingPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
torch.randn(256, 256) @ torch.randn(256, 256)
lock = threading.Lock(); lock.acquire()
request = VerifyRequest(id="q", category="math", prompt="", response=r"\\\\boxed{x(x+1)}", ground_truth="x^2+x")
with BlockingPool(VerifySettings(math_workers=1)) as pool:
    print(pool.verify(request).outcome)
"""


def test_torch_in_the_parent_does_no_harm():
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-P", "-c", _AFTER_TORCH], capture_output=True, text=True, timeout=300)
    assert done.stdout == "pass\n", done.stderr


def test_equal_checks_that_run_at_once_are_made_once_and_passing_trouble_is_forgotten():
    made = []

    async def check(verdict):
        made.append(1)
        await asyncio.sleep(0.01)
        return verdict

    async def work():
        cache = VerdictCache(2)
        good = scored(1.0, verifier="v", reason="ok")
        verdicts = await asyncio.gather(*(cache.get("a", lambda: check(good)) for _ in range(10)))
        first = len(made)
        trouble = not_run("worker_died", verifier="v")
        await cache.get("b", lambda: check(trouble))
        await cache.get("b", lambda: check(good))
        for key in "cda":
            await cache.get(key, lambda: check(good))
        return verdicts, first, len(made)

    verdicts, first, total = asyncio.run(work())
    assert {verdict.outcome for verdict in verdicts} == {"pass"}
    assert (first, total) == (1, 6)


def test_who_waits_for_a_cancelled_check_makes_it():
    async def work():
        cache = VerdictCache(2)

        async def check():
            await asyncio.sleep(0.05)
            return scored(1.0, verifier="v", reason="ok")

        first = asyncio.create_task(cache.get("a", check))
        await asyncio.sleep(0)
        second = asyncio.create_task(cache.get("a", check))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(work()).outcome == "pass"


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.05])
def test_no_worker_outlives_a_pool_that_was_closed_while_one_started(after_s):
    async def work():
        pool = MathPool(SETTINGS)
        task = asyncio.create_task(pool.compare(Comparison(gold="x^2", answer="x^2+1-1")))
        await asyncio.sleep(0)
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await pool.close()

    own = os.getpid()
    before = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    asyncio.run(work())
    assert Path(f"/proc/{own}/task/{own}/children").read_text().split() == before
