"""Verdicts that were reached before, by (category, verifier version, gold, extracted answer): equal checks are made
once, also when they are asked for at the same time. Bounded; the least recently used one goes first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace

from reasonmill.verify.verdict import Verdict


class VerdictCache:
    """For tasks of one event loop. `size` 0 remembers nothing; equal checks that run at once still share one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[Hashable, Verdict] = OrderedDict()
        self._running: dict[Hashable, asyncio.Future[Verdict | None]] = {}
        self.hits = 0

    async def get(self, key: Hashable, check: Callable[[], Awaitable[Verdict]]) -> Verdict:
        """The verdict of `check`, made once per key at a time. What may pass (a dead judge) is not remembered."""
        while True:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                self.hits += 1
                return known
            running = self._running.get(key)
            if running is None:
                return await self._make(key, check)
            shared = await asyncio.shield(running)
            if shared is not None:
                self.hits += 1
                return replace(shared, duration_s=0.0)

    async def _make(self, key: Hashable, check: Callable[[], Awaitable[Verdict]]) -> Verdict:
        future: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
        self._running[key] = future
        verdict: Verdict | None = None
        try:
            verdict = await check()
            return verdict
        finally:
            del self._running[key]
            future.set_result(verdict)  # None where the check was cancelled: who waits makes it
            if verdict is not None and not verdict.transient and self._size:
                self._known[key] = replace(verdict, duration_s=0.0)
                while len(self._known) > self._size:
                    self._known.popitem(last=False)
