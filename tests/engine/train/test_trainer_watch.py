"""How a trainer's end is understood: the cause in its own words, and an end put to one that stands still."""

import asyncio
import signal

import pytest

from reasonmill.engine.train.cause import cause_in
from reasonmill.engine.train.watch import wait_watched


class Standing:
    """A trainer whose process is any program."""

    def __init__(self, *command):
        self._command = command

    async def start(self):
        self._process = await asyncio.create_subprocess_exec(*self._command)

    async def wait(self):
        return await self._process.wait()

    def kill(self):
        self._process.kill()

    def stop(self):
        self._process.send_signal(signal.SIGSTOP)


def test_the_cause_is_what_a_rank_said_in_this_start_and_not_torchruns_banner(tmp_path):
    log = tmp_path / "train.log"
    banner = "=====\n  reasonmill.engine.train.main FAILED\n-----\n"
    log.write_text("error: of an earlier start\n" + banner)
    begun = log.stat().st_size
    assert cause_in(log, since=begun) is None
    assert cause_in(log) == "of an earlier start"
    with log.open("a") as stream:
        stream.write(
            "Traceback (most recent call last):\nRuntimeError: out of memory\nerror: model: 'x' is none\n" + banner
        )
    assert cause_in(log, since=begun) == "model: 'x' is none"
    log.write_text("Traceback (most recent call last):\n  File x\ntorch.OutOfMemoryError: 3 GiB\n" + banner)
    assert cause_in(log) == "torch.OutOfMemoryError: 3 GiB"
    assert cause_in(tmp_path / "none.log") is None


def test_the_exception_of_a_rank_is_found_behind_the_number_that_torch_puts_in_front(tmp_path):
    (tmp_path / "train.log").write_text(
        "[rank3]: Traceback (most recent call last):\n[rank3]:   raise\n"
        "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n"
    )
    told = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert cause_in(tmp_path / "train.log") == told


@pytest.mark.parametrize("stopped", [False, True])
def test_a_trainer_that_stands_still_is_killed_and_one_that_ends_is_not(tmp_path, stopped):
    async def scenario():
        trainer = Standing("sleep", "600")
        await trainer.start()
        if stopped:
            trainer.stop()
        return await asyncio.wait_for(wait_watched(trainer, [tmp_path / "log"], 0.4), 60), trainer

    status, trainer = asyncio.run(scenario())
    assert status is None
    assert trainer._process.returncode == -signal.SIGKILL


def test_a_trainer_with_signs_of_life_is_left_alone(tmp_path):
    program = f"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.15; echo $i >> {tmp_path}/log; done; exit 7"

    async def scenario():
        trainer = Standing("sh", "-c", program)
        await trainer.start()
        return await wait_watched(trainer, [tmp_path / "metrics", tmp_path / "log"], 1.2)

    assert asyncio.run(scenario()) == 7
