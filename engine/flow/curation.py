"""Curation of a run: the input files are read once in batches, decided on, and what is left goes to the journal in
input order while the teachers already answer the first of it.

Which copy of a text is kept is known when all was read, so the first kept query leaves then. A run that dies before the
last one is in the journal reads and decides again, to the same end: what is there already stays as it is.
"""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import orjson

from reasonmill.engine.curate.decisions import Decisions, removals
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.refine import refined, works_on_all
from reasonmill.engine.curate.rejects_file import reject_to_json
from reasonmill.engine.curate.repeated import mistake, repeated
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import QueriesSettings
from reasonmill.engine.records import Reject
from reasonmill.engine.store import ledger
from reasonmill.engine.store.digest import digest_of
from reasonmill.engine.store.journal import Journal, meta_statement
from reasonmill.engine.store.readers import query_to_json

_FIRST_BATCH = 64  # queries said to the journal at once; each time twice as many, so that the first leave early
_LARGEST_BATCH = 4096
_REJECTS_BATCH = 512  # each costs some microseconds of the coordinator's loop


def _check_unchanged(files: Sequence[str], digests: Sequence[str], recorded: Sequence[str]) -> None:
    """Raise ValueError that names the first file which is not what the run began with; names were compared before."""
    for path, now, then in zip(files, digests, recorded, strict=False):  # an earlier version's run recorded none
        if now != then:
            raise ValueError(
                f"--resume: {path!r} has changed since the run began (size and digest were {then}, are {now});"
                " put the file back, or begin a new run"
            )


class Curation:
    """The queries of a run, numbered from 0 in input order. Use as `async with`, after which `num_queries` is known."""

    def __init__(
        self,
        journal: Journal,
        paths: tuple[str, ...],
        settings: QueriesSettings,
        curate_settings: CurateSettings,
        evaluation: Sequence[EvaluationItem],
        folder: Path,
        telemetry: Telemetry,
    ) -> None:
        self.num_queries = 0
        self._refined: list[Reject] = []
        self._tags: dict[str, dict[str, str]] = {}  # by query id
        self._journal = journal
        self._paths = paths
        self._settings = settings
        self._curate_settings = curate_settings
        self._evaluation = evaluation
        self._folder = folder
        self._telemetry = telemetry
        self._inputs: list[str] = []
        self._reading: Reading | None = None  # None: all is in the journal
        self._decisions: Decisions
        self._reached = 0
        self._progress = asyncio.Condition()
        self._stack = ExitStack()

    async def __aenter__(self) -> "Curation":
        """Reads and decides unless the journal has everything.

        Raises FileNotFoundError or ValueError for an input that cannot be read, or of which too much cannot, and for
        one that changed since the run began.
        """
        known = dict(
            await self._journal.rows("SELECT key, value FROM meta WHERE key IN ('num_queries', 'inputs', 'refined')")
        )
        files = [*self._paths, *(item.path for item in self._curate_settings.against)]
        self._inputs = await asyncio.to_thread(lambda: [digest_of(path) for path in files])
        if known:
            _check_unchanged(files, self._inputs, orjson.loads(known.get("inputs", "[]")))
        if "num_queries" in known:
            self.num_queries = self._reached = int(known["num_queries"])
            shutil.rmtree(self._folder, ignore_errors=True)  # of a process that died when all was said
            return self
        with self._telemetry.work("curate", "whole input"):
            try:
                self._decisions = await asyncio.to_thread(self._read)
                await self._refine(known.get("refined"))
            except BaseException:
                self._stack.close()
                raise
        self.num_queries = int(np.count_nonzero(self._decisions.left))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes what was set aside."""
        self._stack.close()

    def _read(self) -> Decisions:
        by_text = Evaluation(self._evaluation, self._curate_settings.decontaminate)
        reading = self._stack.enter_context(Reading(self._folder, by_text, self._curate_settings))
        reading.read(self._paths, category=self._settings.category, limit=self._settings.limit)
        reading.check_readable(self._settings.max_unreadable_share, "queries.max_unreadable_share")
        if not len(reading.spool):
            raise ValueError(f"no query in {', '.join(self._paths)}")
        self._reading = reading
        return reading.decide()

    async def _refine(self, known: str | None) -> None:
        """The steps that need all queries, made once and remembered: a model may say another thing the next time."""
        if not works_on_all(self._curate_settings):
            return
        assert self._reading is not None, "refined before it was read"
        spool = self._reading.spool
        number_of = {spool.id(number): number for number in np.flatnonzero(self._decisions.left).tolist()}
        if known is None:
            queries = [spool.query(number) for number in number_of.values()]
            found = await refined(
                queries, [], self._curate_settings, log_dir=self._folder.parent / "logs"
            )  # embeddings: the feeder
            outcome: dict[str, Any] = {
                "removed": [reject_to_json(reject) for reject in found.removed],
                "tags": {query.id: query.tags for query in found.kept if query.tags},
            }
            await self._journal.say(meta_statement("refined", outcome))
            await self._journal.flush()
        else:
            outcome = orjson.loads(known)
        self._tags = outcome["tags"]
        self._refined = [
            Reject(query_id=one["id"], stage=one["stage"], reason=one["reason"], evidence=one["evidence"])
            for one in outcome["removed"]
        ]
        for reject in self._refined:
            self._decisions.left[number_of[reject.query_id]] = False

    def _record(self, spool: Spool, number: int) -> bytes:
        tags = self._tags.get(spool.id(number)) if self._tags else None
        if tags is None:
            return spool.record(number).rstrip()
        return orjson.dumps(query_to_json(replace(spool.query(number), tags=tags)))

    async def reach(self, ordinal: int) -> None:
        """Return when the queries up to this ordinal are in the journal."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._reached > ordinal)

    async def fill(self) -> None:
        """Put everything into the journal, queries first; return when it is there."""
        reading, journal = self._reading, self._journal
        if reading is None:
            return
        await journal.say(meta_statement("inputs", self._inputs), meta_statement("queries_in", reading.num_rows))
        left = np.flatnonzero(self._decisions.left)
        ordinal, size = 0, _FIRST_BATCH
        while ordinal < len(left):
            batch = left[ordinal : ordinal + size].tolist()
            spool = reading.spool
            await journal.say(
                *(
                    ledger.insert_record(at, spool.id(n), self._record(spool, n))
                    for at, n in enumerate(batch, start=ordinal)
                )
            )
            await journal.flush()
            ordinal, size = ordinal + len(batch), min(2 * size, _LARGEST_BATCH)
            async with self._progress:
                self._reached = ordinal
                self._progress.notify_all()
        await self._say_rejects(reading)
        ((count,),) = await journal.rows("SELECT count(*) FROM queries")
        if count != self.num_queries:
            raise RunFailed(
                f"the journal holds {count} queries where curation leaves {self.num_queries}: another version of the"
                " program, or of its libraries, began this run; begin a new one"
            )
        await journal.say(meta_statement("num_queries", self.num_queries))
        await journal.flush()
        self._reading = None
        self._stack.close()

    async def _say_rejects(self, reading: Reading) -> None:
        batch = []
        for reject in chain(_rejects(reading, self._decisions), self._refined):
            batch.append(ledger.insert_reject(reject))
            if len(batch) == _REJECTS_BATCH:
                await self._journal.say(*batch)
                batch = []
        await self._journal.say(*batch)
        await self._journal.flush()


def _rejects(reading: Reading, decisions: Decisions) -> Iterator[Reject]:
    yield from (reject for _, reject in reading.unreadable())
    yield from _repeated(reading)
    yield from reading.filtered()
    yield from removals(decisions, reading.spool, len(reading.spool))


def _repeated(reading: Reading) -> Iterator[Reject]:
    """Ids that were seen before: a copy where ids come from content, a mistake where they are given. Each is named by a
    number behind it, and by none that is the name of another row.
    """
    suffix = 0
    for found in repeated(reading):
        id_ = reading.spool.id(found.number)
        while reading.has_id(name := f"{id_}#{suffix}"):
            suffix += 1
        suffix += 1
        copy = found.places is None
        yield Reject(
            query_id=name,
            stage="curate" if copy else "read",
            reason="exact_duplicate" if copy else "repeated_id",
            evidence={"of": id_} if copy else {"id": id_, **mistake(reading, found)},
        )
