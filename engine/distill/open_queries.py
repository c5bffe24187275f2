"""The queries that are asked and not yet decided: a bounded number of them. A query is decided when its last pair is
settled; a query with a deferred pair leaves memory, but for its ordinal, and comes back once all queries were asked.
"""

import asyncio
import heapq
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reasonmill.engine.distill.expectations import History
from reasonmill.engine.distill.pair import Pair
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.records import Query
from reasonmill.engine.store import ledger
from reasonmill.engine.store.ledger import JudgedAttempt
from reasonmill.engine.teachers.protocol import Teacher

MIN_BOUND = 512  # open queries; what is ranked against each other


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenQuery:
    """A query to ask, with the teachers that are to answer it and their attempts that the journal holds."""

    ordinal: int
    query: Query
    teachers: tuple[str, ...]
    attempts: Mapping[str, tuple[JudgedAttempt, ...]] = field(default_factory=dict)
    late: bool = False  # it was deferred


@dataclass(slots=True)
class _Open:
    """What is kept of an open query."""

    unsettled: dict[str, Pair]
    late: bool
    deferred: bool = False


class OpenQueries:
    """Holds the bound, the pairs, and what was deferred."""

    def __init__(
        self, settings: AttemptSettings, teachers: Mapping[str, Teacher], on_decided: Callable[[int], None]
    ) -> None:
        self._settings = settings
        self._teachers = teachers
        self._on_decided = on_decided
        self._open: dict[int, _Open] = {}
        self._early = 0  # open queries that are not late: they may still be deferred
        self._deferred: list[int] = []  # heap of ordinals
        self._changed = asyncio.Event()

    def bound(self) -> int:
        """Queries that may be open at once."""
        if self._settings.max_open_queries is not None:
            return self._settings.max_open_queries
        return max(MIN_BOUND, 2 * max(teacher.max_num_seqs for teacher in self._teachers.values()))

    async def room(self) -> None:
        """Return when another query may be opened."""
        while len(self._open) >= self.bound():
            await self.changed()

    async def until_settled(self) -> None:
        """Return when no query is open."""
        while self._open:
            await self.changed()

    async def changed(self) -> None:
        """Return after the next query has left."""
        self._changed.clear()
        await self._changed.wait()

    def add(self, opened: OpenQuery) -> list[Pair]:
        """Open a query; returns its pairs."""
        history = History()
        pairs = [
            Pair(ordinal=opened.ordinal, query=opened.query, teacher=name, late=opened.late, history=history)
            for name in opened.teachers
        ]
        self._open[opened.ordinal] = _Open({pair.teacher: pair for pair in pairs}, opened.late)
        self._early += not opened.late
        return pairs

    def defers(self, pair: Pair, number: int) -> bool:
        """Whether a pair whose next attempt is `number` is to be set aside."""
        settings, opened = self._settings, self._open[pair.ordinal]
        return settings.mode != "k_pass" and number > settings.defer_after and not opened.late

    def defer(self, pair: Pair) -> None:
        """Set a pair aside."""
        pair.ended = True
        self._open[pair.ordinal].deferred = True
        self._leave(pair)

    def settled(self, pair: Pair) -> None:
        """A pair has ended."""
        self._leave(pair)

    def may_defer(self) -> bool:
        """Whether an open query may still be deferred."""
        return self._early > 0

    def take_deferred(self, number: int) -> list[int]:
        """Up to `number` deferred ordinals, lowest first."""
        return [heapq.heappop(self._deferred) for _ in range(min(number, len(self._deferred)))]

    def _leave(self, pair: Pair) -> None:
        opened = self._open[pair.ordinal]
        del opened.unsettled[pair.teacher]
        if opened.unsettled:
            return
        del self._open[pair.ordinal]
        self._early -= not opened.late
        if opened.deferred:
            heapq.heappush(self._deferred, pair.ordinal)
        else:
            self._on_decided(pair.ordinal)
        self._changed.set()


def read_deferred(ordinals: Sequence[int], connection: sqlite3.Connection) -> list[OpenQuery]:
    """Deferred queries of the journal, in the order of `ordinals`, with their pairs that are not settled."""
    queries = ledger.read_queries(connection, ordinals)
    found = []
    for ordinal in ordinals:
        attempts = ledger.read_history(connection, ordinal, ordinal)
        settled = ledger.read_settled(connection, ordinal, ordinal)
        teachers = tuple(name for place, name in attempts if (place, name) not in settled)
        opened = OpenQuery(
            ordinal=ordinal,
            query=queries[ordinal],
            teachers=teachers,
            attempts={name: attempts[ordinal, name] for name in teachers},
            late=True,
        )
        found.append(opened)
    return found
