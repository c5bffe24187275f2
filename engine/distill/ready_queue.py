"""Attempts that may be asked now, oldest query first: a retry goes ahead of every query that came later, so that
open queries end instead of piling up and the packer's wait for the oldest one stays short.
"""

import asyncio
import heapq
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadyQueue(Generic[T]):
    """Items by ascending ordinal. Its bound is the number of open queries, which the asker holds."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._pushed = 0
        self._changed = asyncio.Condition()
        self._closed = False

    async def put(self, ordinal: int, item: T) -> None:
        """Add an item."""
        async with self._changed:
            self._pushed += 1
            heapq.heappush(self._heap, (ordinal, self._pushed, item))
            self._changed.notify()

    async def get(self) -> T | None:
        """The item of the lowest ordinal, waiting for one; None when the queue was closed and is empty."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._heap or self._closed)
            return heapq.heappop(self._heap)[2] if self._heap else None

    async def close(self) -> None:
        """No more items will come."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._heap)
