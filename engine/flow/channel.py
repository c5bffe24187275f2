"""A bounded queue with a name that ends. Every item put is got once; the channel ends when its last writer has left
and it is empty; two waits explain a run: `blocked_s` (writers met a full channel), `starved_s` (readers an empty one).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelEnded(Exception):
    """The channel is empty and its last writer has left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelFigures:
    """What a channel has seen so far; waits in seconds, summed over its writers or readers."""

    name: str
    bound: int
    size: int
    items: int
    blocked_s: float
    starved_s: float


class Channel(Generic[T]):
    """FIFO of at most `bound` items between tasks of one event loop."""

    def __init__(self, name: str, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"channel {name!r}: bound {bound} is not positive")
        self.name = name
        self.bound = bound
        self._items: deque[T] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self._getters: deque[asyncio.Future[None]] = deque()
        self._writers = 0
        self._ended = False
        self._count = 0
        self._blocked_s = 0.0
        self._starved_s = 0.0

    @contextmanager
    def writer(self) -> Iterator["Channel[T]"]:
        """Hold the channel open for writing; the last writer to leave ends it."""
        if self._ended:
            raise ChannelEnded(self.name)
        self._writers += 1
        try:
            yield self
        finally:
            self._writers -= 1
            if self._writers == 0:
                self._ended = True
                self._wake(self._getters, len(self._getters))

    async def put(self, item: T) -> None:
        """Add an item, waiting for room."""
        assert self._writers > 0, f"put on {self.name!r} outside of writer()"
        if len(self._items) >= self.bound:
            started = time.perf_counter()
            try:
                while len(self._items) >= self.bound:
                    await self._wait(self._putters)
            finally:
                self._blocked_s += time.perf_counter() - started
        self._items.append(item)
        self._count += 1
        self._wake(self._getters, 1)

    async def get(self) -> T:
        """Take the oldest item, waiting for one. Raises ChannelEnded when there will be none."""
        if not self._items:
            started = time.perf_counter()
            try:
                while not self._items:
                    if self._ended:
                        raise ChannelEnded(self.name)
                    await self._wait(self._getters)
            finally:
                self._starved_s += time.perf_counter() - started
        item = self._items.popleft()
        self._wake(self._putters, 1)
        return item

    async def __aiter__(self) -> AsyncIterator[T]:
        """Items until the channel ends."""
        while True:
            try:
                yield await self.get()
            except ChannelEnded:
                return

    def figures(self) -> ChannelFigures:
        """Counts and waits up to now."""
        return ChannelFigures(
            name=self.name,
            bound=self.bound,
            size=len(self._items),
            items=self._count,
            blocked_s=self._blocked_s,
            starved_s=self._starved_s,
        )

    async def _wait(self, waiters: deque[asyncio.Future[None]]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._wake(waiters, 1)  # the wake-up was ours: hand it on, or somebody sleeps for ever
            elif future in waiters:
                waiters.remove(future)
            raise

    @staticmethod
    def _wake(waiters: deque[asyncio.Future[None]], count: int) -> None:
        while waiters and count > 0:
            future = waiters.popleft()
            if not future.done():
                future.set_result(None)
                count -= 1
