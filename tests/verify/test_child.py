"""A child process that is closed is gone and waited for, whatever happens to who closes it."""

import asyncio
import gc
import os
import sys
import threading
import warnings

import pytest

from reasonmill.verify.child import Child

READY = r"printf '\2\0\0\0\0\0\0\0{}'; "


def _left_behind(work):
    """What is warned of when all that the work has left is collected, after its loop is closed."""
    told = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda about: told.append(str(about.exc_value))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pid = asyncio.run(work())
            for thread in threading.enumerate():
                if thread.name.startswith("waitpid-"):  # asyncio's own, which hold what nobody has waited for
                    thread.join()
            gc.collect()
    finally:
        sys.unraisablehook = hook
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    return [str(one.message) for one in caught] + told


def test_a_cancelled_close_waits_for_the_end():
    async def work():
        child = await Child.start(("/bin/sh", "-c", READY + "sleep 60"), {}, deadline_s=60.0)
        closing = asyncio.create_task(child.close())
        for _ in range(3):
            await asyncio.sleep(0)
            closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert child._process.returncode is not None  # else its end is told to a loop that is closed by then
        return child.pid

    assert _left_behind(work) == []


def test_a_loop_that_ends_waits_for_a_close_that_is_under_way():
    children = []

    async def work():
        children.append(await Child.start(("/bin/sh", "-c", READY + "sleep 60"), {}, deadline_s=60.0))
        children.append(asyncio.create_task(children[0].close()))  # asyncio.run cancels it, and all that it has begun
        await asyncio.sleep(0)
        return children[0].pid

    assert _left_behind(work) == []
    assert children[0]._process.returncode is not None


def test_pipes_that_a_grandchild_holds_are_closed_on_this_side():
    async def work():
        child = await Child.start(("/bin/sh", "-c", "setsid sleep 1 & " + READY + "sleep 60"), {}, deadline_s=60.0)
        await child.close()
        return child.pid

    assert _left_behind(work) == []
