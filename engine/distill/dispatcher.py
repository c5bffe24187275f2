"""Keeps one teacher's places full: whenever it has room, the attempt that is first in order at that moment is asked.
Nothing is assigned ahead of time, so a change of order or of room counts at once.
"""

import asyncio
from collections.abc import Callable

from reasonmill.engine.distill.drain import Drain
from reasonmill.engine.distill.pair import Pair
from reasonmill.engine.distill.ready_queue import Ranking, ReadyQueue
from reasonmill.engine.teachers.protocol import Teacher


class Place:
    """A place in the teacher's batch; given back once, however often it is said."""

    def __init__(self, lane: "Dispatcher") -> None:
        self.lane = lane
        self._taken = True

    def free(self) -> None:
        """The place is free."""
        if self._taken:
            self._taken = False
            self.lane.asked_now -= 1
            self.lane.wake()


class Dispatcher:
    """The places of one teacher. `ask` takes the pair it is given and gives its place back once."""

    def __init__(
        self,
        teacher: Teacher,
        ranking: Ranking,
        window: int,
        *,
        ask: Callable[[Pair, "Place"], None],
        may_ask: Callable[[], bool],
    ) -> None:
        self.teacher = teacher
        self.ready = ReadyQueue(ranking, window)
        self.drain: Drain | None = None  # there once no query is left to ask
        self._ask = ask
        self._may_ask = may_ask
        self._changed = asyncio.Event()
        self._closed = False
        self.asked_now = 0
        teacher.watch(self._changed.set)

    def put(self, pair: Pair, *, pass_chance: float, tokens: float, known: bool) -> None:
        """A pair that may be asked now."""
        assert not pair.queued, "a pair that waits to be asked keeps its place"
        pair.queued = True
        self.ready.put(pair, pass_chance=pass_chance, tokens=tokens, known=known)
        self._changed.set()

    def begin_drain(self) -> None:
        """No query will come any more."""
        self.drain = Drain()
        self.ready.begin_end()
        self._changed.set()

    def wake(self) -> None:
        """A place is free, or what `may_ask` says has changed."""
        self._changed.set()

    def close(self) -> None:
        """All pairs are settled."""
        self._closed = True
        self._changed.set()

    async def run(self) -> None:
        """Ask until closed."""
        while not self._closed:
            self._changed.clear()
            while self.asked_now < self.teacher.max_num_seqs and self._may_ask():
                pair = self._next()
                if pair is None:
                    break
                self.asked_now += 1
                self._ask(pair, Place(self))
            await self._changed.wait()

    def _next(self) -> Pair | None:
        if self.ready:
            pair = self.ready.get()
            pair.queued = False
            return pair
        return self.drain.get() if self.drain is not None else None
