"""The clock that jumps: exact, ordered, and patient with the real world."""

import asyncio
import sys
import threading
import time

import pytest

from reasonmill.engine.simulation.virtual_time import real_work, run_virtual


def test_a_week_passes_at_once_and_ends_on_time():
    async def week():
        await asyncio.sleep(7 * 86_400)
        return asyncio.get_running_loop().time()

    assert run_virtual(week()) == pytest.approx(7 * 86_400)


def test_sleepers_wake_in_the_order_of_their_times():
    async def run():
        woken = []

        async def sleep(seconds):
            await asyncio.sleep(seconds)
            woken.append((seconds, asyncio.get_running_loop().time()))

        async with asyncio.TaskGroup() as group:
            for seconds in (30.0, 0.001, 1e6, 2.0, 29.999999):
                group.create_task(sleep(seconds))
        return woken

    woken = run_virtual(run())
    assert [seconds for seconds, _ in woken] == [0.001, 2.0, 29.999999, 30.0, 1e6]
    assert all(at == pytest.approx(seconds, abs=1e-6) for seconds, at in woken)


def test_work_for_threads_is_done_before_the_clock_moves_and_raises_as_in_a_thread():
    async def run():
        loop = asyncio.get_running_loop()
        early = loop.call_later(0.001, lambda: None)
        seen = await asyncio.to_thread(lambda: (loop.time(), threading.current_thread() is threading.main_thread()))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        early.cancel()
        return seen, loop.time()

    assert run_virtual(run()) == ((0.0, True), 0.0)


def test_a_child_process_takes_no_virtual_time():
    async def run():
        async def tick():
            await asyncio.sleep(1.0)
            return asyncio.get_running_loop().time()

        ticking = asyncio.create_task(tick())
        with real_work():
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "print(6 * 7)", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await child.communicate()
            now = asyncio.get_running_loop().time()
        return output.strip(), now, await ticking

    assert run_virtual(run()) == (b"42", 0.0, 1.0)


def test_a_call_from_another_thread_is_waited_for():
    async def run():
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def call():
            time.sleep(0.05)
            loop.call_soon_threadsafe(done.set_result, "called")

        thread = threading.Thread(target=call)
        with real_work():
            thread.start()
            result = await done
        thread.join()
        return result, loop.time()

    assert run_virtual(run()) == ("called", 0.0)


def test_on_a_real_clock_real_work_changes_nothing():
    async def run():
        with real_work():
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(run()) == "done"
