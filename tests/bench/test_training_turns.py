import os
import subprocess
import sys

import orjson

from reasonmill.bench.train_turns import rounds

STEPS = """
import sys
from pathlib import Path
from reasonmill.bench.train_turns import Gate

gate = Gate(Path(sys.argv[1]), 0, 3)
while True:
    gate.pass_through()
    gate.took(5)
"""


def test_a_rank_steps_only_in_its_turn_and_ends_with_the_gate_s_pipe(tmp_path):
    for name in ("go-0", "told-0"):
        os.mkfifo(tmp_path / name)
    with subprocess.Popen([sys.executable, "-P", "-c", STEPS, str(tmp_path)]) as rank:
        with (tmp_path / "go-0").open("wb", buffering=0) as go, (tmp_path / "told-0").open("rb") as told:
            for _ in range(2):
                go.write(b"x")
                turn = orjson.loads(told.readline())
                assert turn["tokens"] == 15
                assert turn["seconds"] > 0.0
        assert rank.wait(60) == 0


class Contestant:
    def __init__(self, name, log):
        self.name, self._log = name, log

    def connect(self):
        self._log.append(f"{self.name} is there")

    def turn(self):
        self._log.append(self.name)
        return float(len(self._log))


def test_contestants_wait_for_each_other_then_take_turns_in_alternating_order():
    log = []
    seconds = rounds([Contestant("a", log), Contestant("b", log)], 2)
    assert log == ["a is there", "b is there", "a", "b", "b", "a", "a", "b"]
    assert seconds == {"a": [6.0, 7.0], "b": [5.0, 8.0]}, "the first turn does not count"
