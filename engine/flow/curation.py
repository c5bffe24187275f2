"""The whole-input pass of curation, once per run: reads, filters, deduplicates, decontaminates, and journals what is
left in one transaction, so that a run which dies here starts here again.
"""

import asyncio
from dataclasses import dataclass

from reasonmill.engine.curate.curator import curate
from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import QueriesSettings
from reasonmill.engine.records import Query, Reject
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, Statement, meta_statement
from reasonmill.engine.store.readers import read_queries


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadQueries:
    """What the input files hold."""

    queries: list[Query]
    unreadable: list[Reject]


def read_input(paths: tuple[str, ...], settings: QueriesSettings) -> ReadQueries:
    """Queries of the files, each id once. Raises ValueError if too many rows cannot be read or none can."""
    queries: list[Query] = []
    unreadable: list[Reject] = []
    place_of: dict[str, int] = {}
    for item in read_queries(paths, category=settings.category):
        if isinstance(item, Reject):
            unreadable.append(item)
        elif item.id in place_of:
            unreadable.append(_repeated(item, queries[place_of[item.id]], len(unreadable)))
        else:
            place_of[item.id] = len(queries)
            queries.append(item)
            if settings.limit is not None and len(queries) == settings.limit:
                break
    broken = [r for r in unreadable if r.reason == "unreadable_line"]
    total = len(queries) + len(unreadable)
    if broken and len(broken) > settings.max_unreadable_share * total:
        evidence = broken[0].evidence
        raise ValueError(
            f"{len(broken)} of {total} rows cannot be read, more than queries.max_unreadable_share = "
            f"{settings.max_unreadable_share}; the first is {evidence['place']}: {evidence['error']}"
        )
    if not queries:
        raise ValueError(f"no query in {', '.join(paths)}")
    return ReadQueries(queries=queries, unreadable=unreadable)


def _repeated(item: Query, first: Query, number: int) -> Reject:
    """An id that was seen before: a copy where ids come from content, a mistake where they are given."""
    same = item.messages == first.messages
    return Reject(
        query_id=f"{item.id}#{number}",
        stage="curate" if same else "read",
        reason="exact_duplicate" if same else "repeated_id",
        evidence={"of": item.id} if same else {"id": item.id, "prompt": item.prompt[:200]},
    )


async def curate_once(
    journal: Journal,
    paths: tuple[str, ...],
    settings: QueriesSettings,
    curate_settings: CurateSettings,
    evaluation: list[EvaluationItem],
    telemetry: Telemetry,
) -> int:
    """Number of queries left after the pass, which is made unless the journal has it."""
    known = await journal.rows("SELECT value FROM meta WHERE key = 'num_queries'")
    if known:
        return int(known[0][0])
    with telemetry.work("curate", "whole input"):
        source = await asyncio.to_thread(read_input, paths, settings)
        result = await asyncio.to_thread(curate, source.queries, evaluation, curate_settings)
    statements = [Statement("DELETE FROM queries"), Statement("DELETE FROM rejects")]
    statements.extend(ledger.insert_reject(reject) for reject in (*source.unreadable, *result.removed))
    statements.extend(ledger.insert_query(ordinal, query) for ordinal, query in enumerate(result.kept))
    statements.append(meta_statement("queries_in", len(source.queries) + len(source.unreadable)))
    statements.append(meta_statement("num_queries", len(result.kept)))
    await journal.say(*statements)
    await journal.flush()
    return len(result.kept)
