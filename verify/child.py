"""A child process that answers one JSON message at a time over its standard streams. It is either idle and healthy or
dead: whatever goes wrong with an exchange (deadline, cancellation, broken pipe, nonsense) kills it.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

MAX_FRAME_BYTES = 256 * 2**20
_HEADER_BYTES = 8
_PIPE_BYTES = 32 * 2**10  # half of what a pipe holds


class ChildDied(Exception):
    """The child did not answer; it is dead now. `overran` tells a missed deadline from a death of its own."""

    def __init__(self, detail: str, *, overran: bool = False) -> None:
        super().__init__(detail)
        self.overran = overran


class Child:
    """One process; `ask` by one caller at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._killed = False

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        deadline_s: float,
    ) -> "Child":
        """Start it and wait for its first message. Raises ChildDied with what it wrote on stderr.

        It is detached from the terminal: Ctrl-C does not reach it.
        """
        try:
            process = await _spawn(command, environment)
        except OSError as error:
            raise ChildDied(f"{command[0]} does not start: {error}") from None
        child = cls(process)
        try:
            await child._greet(command[0], deadline_s)
        except BaseException:
            await child.close()
            raise
        return child

    async def _greet(self, name: str, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                await self._receive()
        except TimeoutError:
            raise ChildDied(f"{name} did not report within {deadline_s:g} s", overran=True) from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            raise ChildDied(f"{name} does not start: {await self._last_words()}") from None

    @property
    def pid(self) -> int:
        """Process id of what was started."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._killed and self._process.returncode is None

    @property
    def exited(self) -> bool:
        """Whether it has ended by itself or by another's hand, also where the event loop does not know it yet."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def ask(
        self,
        message: Mapping[str, Any],
        *,
        deadline_s: float,
        attached: Mapping[str, bytes] | None = None,
        before_kill: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """Its answer. Raises ChildDied, then the child is dead; a cancellation kills it as well.

        `attached` bytes follow the message, which tells their sizes; those that an answer brings are in it as text.
        `before_kill` is called where the deadline is missed, while the process is still there.
        """
        try:
            async with asyncio.timeout(deadline_s):
                await self._send(message, attached or {})
                return await self._receive()
        except TimeoutError:
            if before_kill is not None:
                before_kill()
            self.kill()
            raise ChildDied(f"no answer within {deadline_s:g} s", overran=True) from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError) as error:
            self.kill()
            raise ChildDied(f"the process died: {error}") from None
        except BaseException:
            self.kill()
            raise

    async def settle(self, *, deadline_s: float) -> None:
        """Take its second message; if none comes it is killed."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._receive()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError):
            self.kill()
        except BaseException:
            self.kill()
            raise

    async def _send(self, message: Mapping[str, Any], attached: Mapping[str, bytes]) -> None:
        assert self._process.stdin is not None, "started with a pipe"
        if attached:
            message = {**message, "attached": {name: len(content) for name, content in attached.items()}}
        body = json.dumps(message).encode("ascii")
        content = b"".join([len(body).to_bytes(_HEADER_BYTES, "little"), body, *attached.values()])
        self._process.stdin.write(content)
        if len(content) > _PIPE_BYTES:  # what fits into the pipe is gone already
            await self._process.stdin.drain()

    async def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "started with a pipe"
        size = int.from_bytes(await self._process.stdout.readexactly(_HEADER_BYTES), "little")
        if size > MAX_FRAME_BYTES:
            raise ValueError(f"it announced a message of {size} bytes")
        answer = json.loads(await self._process.stdout.readexactly(size))
        if not isinstance(answer, dict):
            raise ValueError("its message is no object")
        for name, count in answer.pop("attached", {}).items():
            answer[name] = (await self._process.stdout.readexactly(count)).decode("utf-8", "replace") if count else ""
        return answer

    async def _last_words(self) -> str:
        assert self._process.stderr is not None, "started with a pipe"
        self.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                words = await self._process.stderr.read(4096)
                return words.decode("utf-8", "replace").strip() or "it said nothing"
        return "it said nothing"

    def kill(self) -> None:
        """Kill it and its process group now; it is reaped in the background."""
        self._killed = True
        if self._process.returncode is None:
            # not Process.kill: it may reap the child under the event loop's hands
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill it and wait until it is gone, its pipes closed. A cancellation waits as well: a process that nobody has
        waited for is told of wherever it is collected.
        """
        self.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        cancelled = False
        while self._process.returncode is None:
            try:
                await self._process.wait()
            except asyncio.CancelledError:
                cancelled = True
        # asyncio closes it when the pipes end, which what the process has started may hold a while longer
        self._process._transport.close()  # type: ignore[attr-defined]
        if cancelled:
            raise asyncio.CancelledError


async def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    """The started process. A cancellation waits for the start, a few milliseconds: asyncio never comes back from one in
    the middle of it.
    """
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
            limit=2**20,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        while not starting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({starting})
        if starting.exception() is None:
            await Child(starting.result()).close()
        raise
