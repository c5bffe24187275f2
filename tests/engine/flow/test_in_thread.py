"""Threads are waited for."""

import asyncio
import threading

import pytest

from reasonmill.engine.flow.in_thread import in_thread


def test_a_thread_gives_its_result_and_its_error():
    assert asyncio.run(in_thread(max, 3, 5)) == 5
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 / 0))


@pytest.mark.parametrize("fails", [False, True])
def test_who_is_cancelled_goes_on_when_the_thread_has_ended(fails):
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work():
        began.set()
        may_end.wait(30)
        ended.set()
        if fails:
            raise OSError("nobody hears of it")

    async def scenario():
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(began.wait, 30)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scenario())
