"""Hands accepted samples on in an order that depends on what was answered and not on when, so that the same answers
make the same bytes. A slot (see frontier.py) is released once: its samples are packed, and the journal holds the
packer's state before any reader sees the rows. Dataset shards span whole blocks and follow when these are complete.
"""

import asyncio
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import orjson

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.accepted import Accepted
from reasonmill.engine.flow.cohorts import Cohort
from reasonmill.engine.flow.frontier import BLOCK_QUERIES, Frontier
from reasonmill.engine.flow.in_thread import in_thread
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.records import Attempt, Query, Reject, Sample
from reasonmill.engine.store import ledger
from reasonmill.engine.store.digest import xxh3_of
from reasonmill.engine.store.journal import Journal, Statement
from reasonmill.engine.store.shards import write_shards

LAST_PACKED_STATE = (
    "SELECT packed_state FROM releases WHERE packed_state != CAST('{}' AS BLOB) ORDER BY slot DESC LIMIT 1"
)


class Packing(Protocol):
    """What takes the released samples; its state is a JSON value that resumes it exactly."""

    def append(self, sample: Sample) -> str | None:
        """Take a sample into the rows, or say why not."""
        ...

    def sync(self) -> dict[str, object]:
        """Write and sync what was taken; returns the state after it."""
        ...

    def publish(self, state: dict[str, object]) -> None:
        """Show readers the rows of a state that is in the journal."""
        ...

    def finish(self) -> dict[str, object]:
        """Write the last, part-filled rows; returns the final state."""
        ...


class Releaser:
    """Releases slots in order and writes shards in order."""

    def __init__(
        self,
        *,
        journal: Journal,
        packing: Packing | None,
        dataset: Path,
        teachers: Sequence[str],
        eligible: Callable[[Query], tuple[str, ...]],
        num_queries: int,
        attempts: AttemptSettings,
        shard_queries: int,
        cohort: Cohort,
        telemetry: Telemetry,
    ) -> None:
        assert shard_queries % BLOCK_QUERIES == 0, "a shard spans whole blocks"
        self._journal = journal
        self._packing = packing
        self._dataset = dataset
        self._teachers = teachers
        self._attempts = attempts
        self._accepted = Accepted(teachers=teachers, eligible=eligible, attempts=attempts)
        self._first_slot = cohort.first_slot
        self._last_cohort = cohort.last
        self._num_queries = num_queries
        self._shard_queries = shard_queries
        self._telemetry = telemetry
        deferring = attempts.mode != "k_pass"
        self._frontier = Frontier(num_queries, attempts.last_number, attempts.defer_after if deferring else None)
        self._advanced = asyncio.Condition()
        self._wake = asyncio.Event()

    def decided(self, ordinal: int) -> None:
        """All pairs of this query are settled, or it was removed. Said once for each ordinal below `num_queries`."""
        self._telemetry.count("decided")
        self._frontier.decided(ordinal)
        self._wake.set()

    def needs(self, ordinal: int, attempts: int) -> None:
        """Say that a query will not be decided before its `attempts`-th attempt."""
        self._frontier.needs(ordinal, attempts)
        self._wake.set()

    async def run(self) -> None:
        """Release every slot and write every shard; returns after the last."""
        async with asyncio.TaskGroup() as group:
            waking = group.create_task(self._pass_on(), name="release: wake")
            slots = group.create_task(self._release_slots(), name="release: slots")
            await self._write_spans()
            await slots
            waking.cancel()

    async def _pass_on(self) -> None:
        """Turn the events of synchronous callers into notifications."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self._advanced:
                self._advanced.notify_all()

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with self._advanced:
            await self._advanced.wait_for(reached)

    async def _release_slots(self) -> None:
        next_slot = await self._next("SELECT max(slot) FROM releases WHERE slot >= ?")
        slot = next_slot
        if self._packing is None and self._attempts.survive == "union":  # nothing to hand on, nothing to withhold
            await self._until(lambda: self._frontier.all_decided)
            if slot < self._frontier.num_slots:
                await self._release(self._frontier.num_slots - 1)
            return
        while slot < self._frontier.num_slots and not self._frontier.all_decided:
            await self._until(lambda slot=slot: self._frontier.open(slot) or self._frontier.all_decided)  # type: ignore[misc]
            if not self._frontier.all_decided:
                await self._release(slot)
                slot += 1
        for filled in await self._filled_slots(slot):
            await self._release(filled)
        # the state after the packer's last flush stands behind the last slot of the last cohort
        if self._packing is not None and self._last_cohort and next_slot <= self._frontier.num_slots:
            state = await in_thread(self._packing.finish)
            await self._keep_state(self._frontier.num_slots, state)

    async def _filled_slots(self, first: int) -> list[int]:
        """From `first` on, the slots that hold a query now that all are decided, and the last one of all."""
        if first >= self._frontier.num_slots:
            return []
        await self._journal.flush()
        found = await self._journal.read(partial(ledger.read_decided_blocks, self._teachers, BLOCK_QUERIES))
        filled = {self._frontier.slot_of(block, number) for block, number in found}
        return sorted(slot for slot in filled | {self._frontier.num_slots - 1} if slot >= first)

    async def _next(self, last: str) -> int:
        """What follows the last slot or span of this cohort that is in the journal."""
        rows = await self._journal.rows(last, (self._first_slot,))
        return 0 if rows[0][0] is None else rows[0][0] - self._first_slot + 1

    async def _write_spans(self) -> None:
        """Shards of queries that were decided early, then of those that were deferred."""
        next_span = await self._next("SELECT max(span) FROM spans WHERE span >= ?")
        num_early = -(-self._num_queries // self._shard_queries)
        for span in range(next_span, 2 * num_early):
            late = span >= num_early
            first = (span % num_early) * self._shard_queries
            end = min(first + self._shard_queries, self._num_queries)
            for block in range(first // BLOCK_QUERIES, -(-end // BLOCK_QUERIES)):
                await self._until(partial(self._frontier.complete, block, late=late))
            await self._write_span(span, first, end, late=late)

    async def _release(self, slot: int) -> None:
        samples: list[Sample] = []
        rejects: list[Statement] = []
        for block, number in self._frontier.members(slot):
            first = block * BLOCK_QUERIES
            belongs = partial(operator.eq, number)
            await self._journal.flush()
            kept, dropped = await self._journal.read(
                partial(self._accepted.read, first, first + BLOCK_QUERIES, belongs)
            )
            samples.extend(kept)
            rejects.extend(ledger.insert_reject(reject) for reject in dropped)
        if not samples and not rejects and slot + 1 < self._frontier.num_slots:
            return  # nothing to remember: a run that is resumed finds the slot empty again
        if self._packing is None:
            await self._journal.say(*rejects, _release_statement(self._first_slot + slot, {}))
            return
        with self._telemetry.work("pack", f"slot {slot}", samples=len(samples)):
            refused, state = await in_thread(self._pack, self._packing, samples)
            await self._keep_state(slot, state, [*rejects, *refused])

    @staticmethod
    def _pack(packing: Packing, samples: list[Sample]) -> tuple[list[Statement], dict[str, object]]:
        refused: dict[tuple[str, str, str], list[Attempt]] = defaultdict(list)
        for sample in samples:
            reason = packing.append(sample)
            if reason is not None:
                refused[sample.query.id, sample.attempt.teacher, reason].append(sample.attempt)
        return [ledger.insert_reject(_not_packed(*key, left)) for key, left in refused.items()], packing.sync()

    async def _keep_state(self, slot: int, state: dict[str, object], rejects: Sequence[Statement] = ()) -> None:
        assert self._packing is not None, "there is a state only where there is a packer"
        await self._journal.say(*rejects, _release_statement(self._first_slot + slot, state))
        await self._journal.flush()
        await in_thread(self._packing.publish, state)

    async def _write_span(self, span: int, first: int, end: int, *, late: bool) -> None:
        early = self._frontier.early_attempts
        await self._journal.flush()
        samples = self._accepted.stream(self._journal.path, first, end, lambda number: (number > early) == late)

        def place(teacher: str, category: str) -> Path:
            return self._dataset / teacher / f"{category}-{span:05d}.parquet"

        with self._telemetry.work("pack", "shards", queries=end - first):
            shards = await in_thread(_write_and_digest, place, samples)
        statements = [
            Statement(
                "INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, ?, ?)",
                (f"{teacher}/{name}", self._first_slot + span, teacher, category, num_rows, digest),
            )
            for teacher, category, name, num_rows, digest in shards
        ]
        await self._journal.say(*statements, Statement("INSERT INTO spans VALUES (?)", (self._first_slot + span,)))


def _write_and_digest(
    place: Callable[[str, str], Path], samples: Iterable[Sample]
) -> list[tuple[str, str, str, int, str]]:
    """Teacher, category, file name, rows and digest of each shard that was written."""
    written = write_shards(place, samples)
    return [
        (teacher, category, path.name, num_rows, xxh3_of(path))
        for (teacher, category), (path, num_rows) in written.items()
    ]


def _release_statement(slot: int, state: dict[str, object]) -> Statement:
    return Statement("INSERT OR REPLACE INTO releases VALUES (?, ?)", (slot, orjson.dumps(state)))


def _not_packed(query_id: str, teacher: str, reason: str, left: list[Attempt]) -> Reject:
    """Samples of one pair, of which there are several in mode k_pass, that are in the dataset and not in the rows."""
    evidence = {"attempts": [a.number for a in left], "completion_tokens": [a.completion_tokens for a in left]}
    return Reject(query_id=query_id, teacher=teacher, stage="pack", reason=reason, evidence=evidence)
