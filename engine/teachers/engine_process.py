"""One engine process, from start to death. Every question put to it ends: answered, refused, or with TeacherFault at
the moment the process dies. Nothing is left behind: its process group and its temporary files go with it.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from reasonmill.engine.teachers.protocol import RequestRefused, TeacherFault
from reasonmill.engine.teachers.wire import (
    MAX_LINE_BYTES,
    Abort,
    Answer,
    Ask,
    EngineSpec,
    Failed,
    Load,
    Loaded,
    Message,
    Refused,
    Sampling,
    decode,
    encode,
)

VLLM_COMMAND = (sys.executable, "-m", "reasonmill.engine.teachers.vllm_local")
MAX_SCRATCH_PATH = 60  # characters; a socket's path has 107 at most, and vLLM adds a slash and 36
STOP_LIMIT_S = 20.0  # for an engine on GPUs to give its memory back, before it is killed


class EngineProcess:
    """A child process that holds one model at a time. Not reusable: a dead one is replaced by another."""

    def __init__(
        self, log: Path, environment: Mapping[str, str], *, stall_limit_s: float, command: Sequence[str] = VLLM_COMMAND
    ) -> None:
        self._log = log
        self._environment = environment
        self._stall_limit_s = stall_limit_s
        self._command = command
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Future[Answer]] = {}
        self._loaded: asyncio.Future[Loaded] | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._scratch: str | None = None
        self._heard = 0.0
        self.died = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the process; it imports while the caller goes on. In a session of its own: Ctrl-C does not reach it."""
        try:
            await self._start()
        except BaseException:  # cancelled, say: the caller has nothing yet that it could stop
            self._kill()
            self._end()
            raise

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._scratch = _scratch_beside(self._log)
        with theirs, self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, "TMPDIR": self._scratch},
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
        self._tasks = [
            asyncio.create_task(self._listen(reader), name="engine answers"),
            asyncio.create_task(self._watch(), name="engine watchdog"),
        ]

    async def load(self, spec: EngineSpec, *, limit_s: float) -> Loaded:
        """Hold this model from now on. Raises TeacherFault with the engine's own words where it cannot."""
        assert not self._open, "a model is exchanged only while no question is open"
        self._loaded = asyncio.get_running_loop().create_future()
        self._say(Load(spec=spec))
        try:
            async with asyncio.timeout(limit_s):
                return await self._loaded
        except TimeoutError:
            self._kill()
            raise TeacherFault(f"{spec.model} was not loaded in {limit_s:g} s: see {self._log}") from None

    async def ask(self, turns: tuple[tuple[str, str], ...], generation_prompt: str, sampling: Sampling) -> Answer:
        """Answer once. Cancelling aborts. Raises TeacherFault when the process dies, RequestRefused."""
        ask = Ask(id=next(self._ids), turns=turns, generation_prompt=generation_prompt, sampling=sampling)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if not self._open:
            self._heard = time.monotonic()
        self._open[ask.id] = answer
        try:
            self._say(ask)
            return await answer
        except asyncio.CancelledError:
            if not self.died.is_set():
                self._say(Abort(id=ask.id))
            raise
        finally:
            self._open.pop(ask.id, None)

    async def stop(self) -> None:
        """End the process, in order if it can, and remove what it left. Open questions end with TeacherFault."""
        if self._child is None:
            return
        try:
            if self._writer is not None:
                self._writer.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), STOP_LIMIT_S)
        finally:
            self._kill()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._end()

    def _say(self, message: Message) -> None:
        if self.died.is_set() or self._writer is None:
            raise TeacherFault(f"the engine's process is dead: see {self._log}")
        self._writer.write(encode(message))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionResetError):
            while line := await reader.readline():
                self._heard = time.monotonic()
                self._receive(decode(line))
        self._kill()  # it has closed the connection: it is dead, or of no more use
        self._end()

    def _receive(self, message: Message) -> None:
        if isinstance(message, Answer):
            self._settle(message.id, message)
        elif isinstance(message, Refused):
            self._settle(message.id, RequestRefused(message.message))
        elif isinstance(message, Loaded | Failed) and self._loaded is not None and not self._loaded.done():
            if isinstance(message, Loaded):
                self._loaded.set_result(message)
            else:
                self._loaded.set_exception(TeacherFault(f"{message.message} (see {self._log})"))
        else:
            assert not isinstance(message, Load | Ask | Abort), f"{message} goes the other way"

    def _settle(self, id: int, outcome: Answer | RequestRefused) -> None:
        waiting = self._open.get(id)
        if waiting is None or waiting.done():  # aborted meanwhile
            return
        if isinstance(outcome, Answer):
            waiting.set_result(outcome)
        else:
            waiting.set_exception(outcome)

    async def _watch(self) -> None:
        """Kill an engine that gives no sign of life while questions are open."""
        while True:
            await asyncio.sleep(min(1.0, self._stall_limit_s / 4))
            if self._open and time.monotonic() - self._heard > self._stall_limit_s:
                self._kill()
                return

    def _kill(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):  # its group: vLLM has children of its own on GPUs
                os.killpg(self._child.pid, signal.SIGKILL)

    def _end(self) -> None:
        if self.died.is_set():
            return
        self.died.set()
        fault = f"the engine's process died: see {self._log}"
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(TeacherFault(fault))
        if self._loaded is not None and not self._loaded.done():
            self._loaded.set_exception(TeacherFault(fault))
        if self._writer is not None:
            self._writer.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _scratch_beside(log: Path) -> str:
    """Folder for temporary files, where the next engine of that log clears what a killed coordinator left; elsewhere
    if its path is too long for the names of sockets in it.
    """
    beside = log.absolute().with_suffix(".tmp")
    if len(str(beside)) > MAX_SCRATCH_PATH:
        return tempfile.mkdtemp(prefix="reasonmill-")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    return str(beside)


def engine_environment(*, cpu_threads: int | None) -> dict[str, str]:
    """Environment of this process, with what vLLM has to find in its own; what the user has set stays."""
    threads = cpu_threads or max(1, len(os.sched_getaffinity(0)) // 2)
    defaults = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(threads),  # with more threads than free cores OpenMP's barriers cost 10 to 25 times
        "TOKENIZERS_PARALLELISM": "false",
    }
    # VLLM_CPU_KVCACHE_SPACE counts whole GiB and would override the size that the engine works out
    inherited = {name: value for name, value in os.environ.items() if name != "VLLM_CPU_KVCACHE_SPACE"}
    always = {"PYTHONSAFEPATH": "1"}
    if cpu_threads is not None:
        always["OMP_NUM_THREADS"] = str(cpu_threads)
    return {**defaults, **inherited, **always}
