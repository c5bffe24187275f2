"""The loop of an engine's process: takes questions from the coordinator while the engine steps, and answers each once.

It ends when the coordinator closes the connection or dies. Whatever goes wrong inside the engine ends the process with
a traceback in its log; the coordinator sees the connection close and starts another.
"""

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from reasonmill.engine.flow.lifeline import die_with_parent
from reasonmill.engine.teachers.wire import (
    Abort,
    Answer,
    Ask,
    Beat,
    EngineSpec,
    Failed,
    Load,
    Loaded,
    Message,
    Refused,
    Started,
    decode,
    encode,
)

BEAT_S = 1.0
BURST_S = 0.003  # an idle engine waits so long for questions that come together: they begin as one batch


class HostedEngine(Protocol):
    """An engine that works when it is stepped."""

    @property
    def max_model_len(self) -> int:
        """Tokens of prompt and answer together."""
        ...

    @property
    def device(self) -> str:
        """`cpu`, `cuda` or another of torch's device types."""
        ...

    def add(self, ask: Ask) -> None:
        """Begin to answer. Raises ValueError where the question itself cannot be answered."""
        ...

    def abort(self, id: int) -> None:
        """Forget a question; unknown ids are ignored."""
        ...

    def step(self) -> Sequence[Answer]:
        """Advance every open answer by a token or more; returns those that are complete."""
        ...

    def busy(self) -> bool:
        """Whether an answer is open."""
        ...

    def close(self) -> None:
        """Give back all memory and processes."""
        ...


def connection_from_argument(argument: str) -> socket.socket:
    """The socket that the coordinator handed to this process, given as its number; and a death tied to its own."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's affair
    return socket.socket(fileno=int(argument))


def serve(connection: socket.socket, open_engine: Callable[[EngineSpec], HostedEngine], *, version: str) -> None:
    """Serve until the coordinator closes the connection. Raises whatever the engine raises in a step."""
    host = _Host(connection, open_engine)
    host.say(Started(version=version))
    host.run()


class _Host:
    def __init__(self, connection: socket.socket, open_engine: Callable[[EngineSpec], HostedEngine]) -> None:
        self._connection = connection
        self._open_engine = open_engine
        self._engine: HostedEngine | None = None
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._steps = 0
        self._last_beat = 0.0
        threading.Thread(target=self._read, daemon=True, name="inbox").start()

    def say(self, message: Message) -> None:
        try:
            self._connection.sendall(encode(message))
        except (BrokenPipeError, ConnectionResetError):
            self._end()

    def run(self) -> None:
        while True:
            working = self._engine is not None and self._engine.busy()
            self._take(wait=not working)
            if not working:
                time.sleep(BURST_S)
                self._take(wait=False)
            if self._engine is not None and self._engine.busy():
                for answer in self._engine.step():
                    self.say(answer)
                self._steps += 1
                self._beat()

    def _read(self) -> None:
        with self._connection.makefile("rb") as lines:
            for line in lines:
                self._inbox.put(decode(line))
        self._inbox.put(None)

    def _take(self, *, wait: bool) -> None:
        """Act on all messages that have arrived; with `wait`, on one at least."""
        while wait or not self._inbox.empty():
            message = self._inbox.get()
            wait = False
            if message is None:
                self._end()
            elif isinstance(message, Load):
                self._load(message.spec)
            elif isinstance(message, Ask):
                self._ask(message)
            elif isinstance(message, Abort) and self._engine is not None:
                self._engine.abort(message.id)

    def _load(self, spec: EngineSpec) -> None:
        began = time.monotonic()
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        try:
            self._engine = self._open_engine(spec)
        except Exception as error:
            self.say(Failed(message=_in_one_line(error)))
            raise
        took_s = time.monotonic() - began
        self.say(Loaded(device=self._engine.device, max_model_len=self._engine.max_model_len, seconds=took_s))

    def _ask(self, ask: Ask) -> None:
        assert self._engine is not None, "the coordinator asks only after Loaded"
        try:
            self._engine.add(ask)
        except ValueError as refusal:
            self.say(Refused(id=ask.id, message=str(refusal)))

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._last_beat >= BEAT_S:
            self._last_beat = now
            self.say(Beat(steps=self._steps))

    def _end(self) -> None:
        """End at once: there is nobody left to answer, and an interpreter's orderly end takes vLLM seconds."""
        if self._engine is not None and self._engine.device != "cpu":
            self._engine.close()  # its workers hold GPU memory
        os._exit(0)


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
