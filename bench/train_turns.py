"""Trainers of several processes that take turns: each stands still, reading its ranks' pipes, while another steps."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import orjson

from reasonmill.engine.train.launcher import rank_environment

_RANKS = 2


class Gate:
    """A rank's side: `pass_through()` at the beginning of each step, `took(tokens)` for each batch."""

    def __init__(self, folder: Path, rank: int, steps: int) -> None:
        self._go = (folder / f"go-{rank}").open("rb", buffering=0)
        self._told = (folder / f"told-{rank}").open("wb", buffering=0)
        self._steps, self._left = steps, 0
        self._tokens, self._began = 0, 0.0

    def took(self, num_tokens: int) -> None:
        """So many tokens, padding apart, are trained on."""
        self._tokens += num_tokens

    def pass_through(self) -> None:
        """Ends the turn that is over, and waits for the next; ends the process where there is none."""
        if self._left == 0:
            if self._began:
                self.tell()
            if not self._go.read(1):
                os._exit(0)
            self._tokens, self._began, self._left = 0, time.perf_counter(), self._steps
        self._left -= 1

    def tell(self) -> None:
        """Say how long the turn took, and over how many tokens."""
        told = {"seconds": time.perf_counter() - self._began, "tokens": self._tokens}
        self._told.write(orjson.dumps(told) + b"\n")


class Contestant:
    """A trainer of two ranks that steps when it is told to."""

    def __init__(self, name: str, folder: Path, inputs: Path) -> None:
        self.name = name
        folder.mkdir()
        for rank in range(_RANKS):
            os.mkfifo(folder / f"go-{rank}")
            os.mkfifo(folder / f"told-{rank}")
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"),
                    *(f"--nproc-per-node={_RANKS}", "--module", "reasonmill.bench.train_contestants"),
                    *(name, str(inputs), str(folder)),
                ],
                env=rank_environment(_RANKS) | {"DS_ACCELERATOR": "cpu"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._folder = folder
        self._go: list[int] = []
        self._told: list[BinaryIO] = []

    def connect(self) -> None:
        """Wait until its ranks are there. They load while others do, and then stand still."""
        self._go = [self._open(self._folder / f"go-{rank}", os.O_WRONLY) for rank in range(_RANKS)]
        self._told = [(self._folder / f"told-{rank}").open("rb") for rank in range(_RANKS)]

    def _open(self, pipe: Path, flags: int) -> int:
        """Open a pipe when the rank has; raises RuntimeError with the log's end if it ends before."""
        while True:
            with contextlib.suppress(OSError):
                descriptor = os.open(pipe, flags | os.O_NONBLOCK)
                os.set_blocking(descriptor, True)
                return descriptor
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def turn(self) -> float:
        """Seconds a token, all ranks together."""
        for pipe in self._go:
            os.write(pipe, b"x")
        lines = [told.readline() for told in self._told]
        if not all(lines):
            raise RuntimeError(f"{self.name} ended: {self._log.read_text(errors='replace')[-2000:]}")
        of_ranks = [orjson.loads(line) for line in lines]
        return float(max(one["seconds"] for one in of_ranks) / sum(one["tokens"] for one in of_ranks))

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._go:
            os.close(pipe)  # the end of the pipe ends the rank
        if not self._go:
            self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def rounds(contestants: list[Contestant], number: int) -> dict[str, list[float]]:
    """Seconds a token of each turn; the first turn of each warms up and does not count."""
    for one in contestants:
        one.connect()
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    for turn in _turns(contestants, number + 1):
        seconds[turn.name].append(turn.turn())
    return {name: found[1:] for name, found in seconds.items()}


def _turns(contestants: list[Contestant], number: int) -> Iterator[Contestant]:
    for count in range(number):
        yield from contestants if count % 2 == 0 else reversed(contestants)
