"""Virtual time: an event loop whose clock stands still while anything can run and jumps to the next timer when nothing
can. Days pass in seconds, and the same program gives the same order of events.

Work for threads (`run_in_executor`, `asyncio.to_thread`) is done at once, in the loop's own thread, so that its
order is no affair of the operating system's. Real input and output is polled, and the clock does not jump while
somebody is in `real_work`: that is how to await a child process or a socket.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_RESOLUTION_S = 1e-9  # of the virtual clock: timers closer than that fire together


class _JumpingSelector(selectors.BaseSelector):
    """Asked to wait, moves the loop's clock instead, unless real work is under way."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0
        self.held = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """File objects that are ready; empty after a jump by `timeout`."""
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0.0):
            return ready
        if self.held or timeout is None:  # a thread, a child or a socket will wake it
            return self._real.select(None)
        self.now += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """As the real selector."""
        return self._real.get_map()

    def close(self) -> None:
        """As the real selector."""
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop of `run_virtual`. Its clock begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = _RESOLUTION_S

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now

    def hold(self, by: int) -> None:
        """Add to the pieces of real work under way; the clock stands while there are any."""
        self._jumping.held += by

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do the work now, here. The future that is returned is done."""
        future: asyncio.Future[T] = self.create_future()
        try:
            result = func(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - an executor hands over whatever its work raises
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


@contextmanager
def real_work() -> Iterator[None]:
    """Keep a virtual clock from jumping while the block awaits something of the real world; nothing on a real one."""
    loop = asyncio.get_running_loop()
    virtual = loop if isinstance(loop, VirtualTimeLoop) else None
    if virtual is not None:
        virtual.hold(1)
    try:
        yield
    finally:
        if virtual is not None:
            virtual.hold(-1)


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Result of a coroutine that runs in virtual time, from 0 on. As asyncio.run, with the same care for its tasks."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
