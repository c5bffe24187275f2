"""Feeds queries to the teachers in input order. Each is admitted or removed once, after its embedding was compared;
on resume, what was decided before is not decided again and what was settled is not asked again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.release import Releaser
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.records import Query, Reject
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.settings import TeacherSettings

CHUNK = 64  # queries whose embeddings are compared in one call


class EmbeddingCheck(Protocol):
    """The streaming part of decontamination."""

    async def check(self, queries: Sequence[Query]) -> list[Reject | None]:
        """A Reject for each query that is too close to an evaluation item, None for the others."""
        ...


def eligible(teachers: Sequence[TeacherSettings], query: Query) -> tuple[str, ...]:
    """Names of the teachers that answer queries of this category, in recipe order."""
    return tuple(t.name for t in teachers if not t.categories or query.category in t.categories)


async def feed(
    *,
    journal: Journal,
    check: EmbeddingCheck | None,
    teachers: Sequence[TeacherSettings],
    releaser: Releaser,
    queries: Channel[OpenQuery],
    telemetry: Telemetry,
    num_queries: int,
    reach: Callable[[int], Awaitable[None]],
    joined: bool = False,
) -> None:
    """Put every query that still needs an answer into the channel, and tell the releaser of those that need none.
    `reach` returns when the queries up to an ordinal are in the journal. `joined`: these teachers came to the run after
    others.
    """
    last = -1
    with queries.writer():
        while last + 1 < num_queries:
            await reach(min(last + CHUNK, num_queries - 1))
            chunk = await journal.read(lambda c, after=last: ledger.read_queries_after(c, after, CHUNK))  # type: ignore[misc]
            first, last = chunk[0][0], chunk[-1][0]
            removed = await _decide(chunk, journal, check, telemetry)
            settled = await journal.read(lambda c, a=first, b=last: ledger.read_settled(c, a, b))  # type: ignore[misc]
            history = await journal.read(lambda c, a=first, b=last: ledger.read_history(c, a, b))  # type: ignore[misc]
            waiting = await journal.read(lambda c, a=first, b=last: ledger.read_without_teacher(c, a, b))  # type: ignore[misc]
            for ordinal, query, _ in chunk:
                asked = eligible(teachers, query)
                if ordinal in waiting and joined and asked:
                    await journal.say(*ledger.find_teacher(ordinal, query.id))
                    removed.discard(ordinal)
                if ordinal not in removed and not asked and not joined:
                    reject = Reject(
                        query_id=query.id,
                        stage="attempt",
                        reason="no_teacher",
                        evidence={"category": query.category},
                    )
                    await journal.say(*ledger.remove(ordinal, reject))
                still_open = tuple(name for name in asked if (ordinal, name) not in settled)
                if ordinal in removed or not still_open:
                    releaser.decided(ordinal)
                else:
                    attempts = {name: history[ordinal, name] for name in still_open if (ordinal, name) in history}
                    await queries.put(OpenQuery(ordinal=ordinal, query=query, teachers=still_open, attempts=attempts))


async def _decide(
    chunk: list[tuple[int, Query, int | None]], journal: Journal, check: EmbeddingCheck | None, telemetry: Telemetry
) -> set[int]:
    """Ordinals of the chunk that are removed; what is decided here is in the journal."""
    removed = {ordinal for ordinal, _, admitted in chunk if admitted == 0}
    new = [(ordinal, query) for ordinal, query, admitted in chunk if admitted is None]
    if not new:
        return removed
    rejects: Sequence[Reject | None] = [None] * len(new)
    if check is not None:
        with telemetry.work("curate", "embeddings", queries=len(new)):
            rejects = await check.check([query for _, query in new])
    passed = [ordinal for (ordinal, _), reject in zip(new, rejects, strict=True) if reject is None]
    statements = ledger.admit(passed)
    for (ordinal, _), reject in zip(new, rejects, strict=True):
        if reject is not None:
            statements.extend(ledger.remove(ordinal, reject))
            removed.add(ordinal)
    await journal.say(*statements)
    return removed
