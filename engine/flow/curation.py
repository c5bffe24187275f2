"""The whole-input pass of curation, once per run: reads, filters, deduplicates, decontaminates, and journals what is
left in one transaction, so that a run which dies here starts here again.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import xxhash

from reasonmill.engine.curate.curator import curate
from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.refine import refined
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
    repeated: list[tuple[Query, Query]] = []  # an id seen before, and the query that has it
    place_of: dict[str, int] = {}
    for item in read_queries(paths, category=settings.category):
        if isinstance(item, Reject):
            unreadable.append(item)
        elif item.id in place_of:
            repeated.append((item, queries[place_of[item.id]]))
        else:
            place_of[item.id] = len(queries)
            queries.append(item)
            if settings.limit is not None and len(queries) == settings.limit:
                break
    unreadable.extend(_repeated(repeated, place_of.keys() | {reject.query_id for reject in unreadable}))
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


def _repeated(repeated: list[tuple[Query, Query]], taken: set[str]) -> Iterator[Reject]:
    """Ids that were seen before: a copy where ids come from content, a mistake where they are given. Each is named by a
    number behind it, and by none that is the name of another row.
    """
    number = 0
    for item, first in repeated:
        while (name := f"{item.id}#{number}") in taken:
            number += 1
        number += 1
        same = item.messages == first.messages
        yield Reject(
            query_id=name,
            stage="curate" if same else "read",
            reason="exact_duplicate" if same else "repeated_id",
            evidence={"of": item.id} if same else {"id": item.id, "prompt": item.prompt[:200]},
        )


def digest_of(path: str) -> str:
    """Size and xxh3 of a file's content. Raises OSError that names it."""
    digest, size = xxhash.xxh3_128(), 0
    with Path(path).open("rb") as stream:
        while part := stream.read(2**20):
            digest.update(part)
            size += len(part)
    return f"{size}:{digest.hexdigest()}"


def _check_unchanged(files: Sequence[str], digests: Sequence[str], recorded: Sequence[str]) -> None:
    """Raise ValueError that names the first file which is not what the run began with; names were compared before."""
    for path, now, then in zip(files, digests, recorded, strict=False):  # an earlier version's run recorded none
        if now != then:
            raise ValueError(
                f"--resume: {path!r} has changed since the run began (size and digest were {then}, are {now});"
                " put the file back, or begin a new run"
            )


async def curate_once(
    journal: Journal,
    paths: tuple[str, ...],
    settings: QueriesSettings,
    curate_settings: CurateSettings,
    evaluation: list[EvaluationItem],
    telemetry: Telemetry,
    log_dir: Path,
) -> int:
    """Number of queries left after the pass, which is made unless the journal has it."""
    known = dict(await journal.rows("SELECT key, value FROM meta WHERE key IN ('num_queries', 'inputs')"))
    files = [*paths, *(item.path for item in curate_settings.against)]
    digests = await asyncio.to_thread(lambda: [digest_of(path) for path in files])
    if "num_queries" in known:
        _check_unchanged(files, digests, orjson.loads(known.get("inputs", "[]")))
        return int(known["num_queries"])
    with telemetry.work("curate", "whole input"):
        source = await asyncio.to_thread(read_input, paths, settings)
        result = await asyncio.to_thread(curate, source.queries, evaluation, curate_settings)
        refinement = await refined(result.kept, [], curate_settings, log_dir=log_dir)  # embeddings: feeder
    statements = [Statement("DELETE FROM queries"), Statement("DELETE FROM rejects")]
    statements.extend(
        ledger.insert_reject(reject) for reject in (*source.unreadable, *result.removed, *refinement.removed)
    )
    statements.extend(ledger.insert_query(ordinal, query) for ordinal, query in enumerate(refinement.kept))
    statements.append(meta_statement("queries_in", len(source.queries) + len(source.unreadable)))
    statements.append(meta_statement("num_queries", len(refinement.kept)))
    statements.append(meta_statement("inputs", digests))
    await journal.say(*statements)
    await journal.flush()
    return len(refinement.kept)
