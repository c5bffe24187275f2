import time
from types import SimpleNamespace

import pytest
import torch

from reasonmill.engine.train.clock import StepClock, lockstep_wait, time_collectives


class Work:
    def wait(self):
        time.sleep(0.02)
        return "done"

    def is_completed(self):
        return True


def backend():
    collectives = ("all_reduce", "reduce", "reduce_scatter", "reduce_scatter_tensor", "broadcast", "all_gather")
    more = ("all_gather_into_tensor", "all_gather_coalesced", "all_to_all_single", "barrier")
    found = SimpleNamespace(**dict.fromkeys((*collectives, *more), lambda *arguments, **options: None))
    found.all_gather_into_tensor = lambda *arguments, async_op=False: Work() if async_op else time.sleep(0.01)
    return found


def test_collectives_are_told_apart_from_the_part_in_which_they_were_waited_for():
    clock, ranks = StepClock(torch.device("cpu")), backend()
    time_collectives(ranks, clock)
    clock.begin()
    for _ in range(2):
        handle = ranks.all_gather_into_tensor(async_op=True)
        assert handle.is_completed()
        assert handle.wait() == "done"
        clock.lap("forward")
        time.sleep(0.03)
        assert ranks.all_gather_into_tensor() is None
        clock.lap("backward")
    clock.lap("optimizer")
    seconds, waits = clock.read()
    assert len(waits) == 2, "one for each micro-step"
    assert all(wait >= 0.03 for wait in waits)
    assert seconds["communication"] == pytest.approx(sum(waits))
    assert seconds["backward"] >= 0.06
    assert seconds["forward"] < seconds["communication"], "waiting is no part of it"
    clock.begin()
    assert clock.read() == (dict.fromkeys(seconds, 0.0), [])


def test_only_the_last_clock_is_told():
    first, last, ranks = StepClock(torch.device("cpu")), StepClock(torch.device("cpu")), backend()
    for clock in (first, last):
        time_collectives(ranks, clock)
        clock.begin()
    ranks.all_gather_into_tensor()
    for clock in (first, last):
        clock.lap("forward")
    assert first.read()[0]["communication"] == 0.0
    assert last.read()[0]["communication"] >= 0.01


def test_the_rank_that_waits_least_waits_for_nobody():
    assert lockstep_wait([[0.1, 0.5], [0.3, 0.1]], 2.0) == pytest.approx((0.1 + 0.2) / 2.0)
    assert lockstep_wait([[0.4]], 1.0) == 0.0
    assert lockstep_wait([], 1.0) == lockstep_wait([[1.0]], 0.0) == 0.0
