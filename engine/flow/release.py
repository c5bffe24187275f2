"""Hands accepted samples on in an order that depends on what was answered and not on when, so that the same answers
make the same bytes. A slot (see frontier.py) is released once: its samples are packed, and the journal holds the
packer's state before any reader sees the rows. Dataset shards span whole blocks and follow when these are complete.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import orjson
import xxhash

from reasonmill.engine.flow.frontier import BLOCK_QUERIES, Frontier
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.records import Query, Reject, Sample
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, Statement
from reasonmill.engine.store.shards import write_shard
from reasonmill.verify.answer import split_response


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
        intersection: bool,
        num_queries: int,
        max_attempts: int,
        shard_queries: int,
        telemetry: Telemetry,
    ) -> None:
        assert shard_queries % BLOCK_QUERIES == 0, "a shard spans whole blocks"
        self._journal = journal
        self._packing = packing
        self._dataset = dataset
        self._teachers = teachers
        self._eligible = eligible
        self._intersection = intersection
        self._num_queries = num_queries
        self._shard_queries = shard_queries
        self._telemetry = telemetry
        self._frontier = Frontier(num_queries, max_attempts)
        self._advanced = asyncio.Condition()
        self._wake = asyncio.Event()

    def decided(self, ordinal: int) -> None:
        """All pairs of this query are settled, or it was removed. Said once for each ordinal below `num_queries`."""
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
        released = await self._journal.rows("SELECT max(slot) FROM releases")
        next_slot = 0 if released[0][0] is None else released[0][0] + 1
        for slot in range(next_slot, self._frontier.num_slots):
            await self._until(partial(self._frontier.open, slot))
            await self._release(slot)
        # the state after the packer's last flush stands behind the last slot
        if self._packing is not None and next_slot <= self._frontier.num_slots:
            state = await asyncio.to_thread(self._packing.finish)
            await self._keep_state(self._frontier.num_slots, state)

    async def _write_spans(self) -> None:
        written = await self._journal.rows("SELECT max(span) FROM spans")
        next_span = 0 if written[0][0] is None else written[0][0] + 1
        for span in range(next_span, -(-self._num_queries // self._shard_queries)):
            first, end = span * self._shard_queries, min((span + 1) * self._shard_queries, self._num_queries)
            for block in range(first // BLOCK_QUERIES, -(-end // BLOCK_QUERIES)):
                await self._until(partial(self._frontier.complete, block))
            await self._write_span(span, first, end)

    async def _samples(self, first: int, last: int, number: int | None = None) -> tuple[list[Sample], list[Reject]]:
        """Samples of the ordinals from first to last that survive, in order, and what does not survive; with `number`,
        only of queries that were decided at that attempt.
        """
        await self._journal.flush()
        accepted, queries, decided_at = await self._journal.read(
            lambda c: (
                ledger.read_accepted(c, first, last, self._teachers),
                {o: q for o, q, _ in ledger.read_queries_after(c, first - 1, last - first + 1)},
                ledger.read_decided_at(c, first, last),
            )
        )
        answered: dict[int, set[str]] = defaultdict(set)
        for judged in accepted:
            answered[judged.ordinal].add(judged.attempt.teacher)
        samples, rejects = [], []
        for judged in accepted:
            query = queries[judged.ordinal]
            asked = set(self._eligible(query))
            attempt, num_settled = decided_at[judged.ordinal]
            if num_settled < len(asked) or (number is not None and attempt != number):
                continue
            if self._intersection and answered[judged.ordinal] != asked:
                rejects.append(_not_all_teachers(judged))
            else:
                samples.append(_sample(query, judged))
        return samples, rejects

    async def _release(self, slot: int) -> None:
        samples: list[Sample] = []
        rejects: list[Statement] = []
        for block, number in self._frontier.members(slot):
            first = block * BLOCK_QUERIES
            kept, dropped = await self._samples(first, first + BLOCK_QUERIES - 1, number)
            samples.extend(kept)
            rejects.extend(ledger.insert_reject(reject) for reject in dropped)
        if self._packing is None:
            await self._journal.say(*rejects, _release_statement(slot, {}))
            return
        with self._telemetry.work("pack", f"slot {slot}", samples=len(samples)):
            refused, state = await asyncio.to_thread(self._pack, self._packing, samples)
            await self._keep_state(slot, state, [*rejects, *refused])

    @staticmethod
    def _pack(packing: Packing, samples: list[Sample]) -> tuple[list[Statement], dict[str, object]]:
        refused = []
        for sample in samples:
            reason = packing.append(sample)
            if reason is not None:
                reject = Reject(
                    query_id=sample.query.id,
                    teacher=sample.attempt.teacher,
                    stage="pack",
                    reason=reason,
                    evidence={"completion_tokens": sample.attempt.completion_tokens},
                )
                refused.append(ledger.insert_reject(reject))
        return refused, packing.sync()

    async def _keep_state(self, slot: int, state: dict[str, object], rejects: Sequence[Statement] = ()) -> None:
        assert self._packing is not None, "there is a state only where there is a packer"
        await self._journal.say(*rejects, _release_statement(slot, state))
        await self._journal.flush()
        await asyncio.to_thread(self._packing.publish, state)

    async def _write_span(self, span: int, first: int, end: int) -> None:
        groups: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        for sample in (await self._samples(first, end - 1))[0]:
            groups[sample.attempt.teacher, sample.query.category].append(sample)
        statements = []
        for (teacher, category), samples in sorted(groups.items()):
            path = self._dataset / teacher / f"{category}-{span:05d}.parquet"
            with self._telemetry.work("pack", "shard", samples=len(samples)):
                await asyncio.to_thread(write_shard, path, samples)
                digest = await asyncio.to_thread(lambda p=path: xxhash.xxh3_128(p.read_bytes()).hexdigest())  # type: ignore[misc]
            statements.append(
                Statement(
                    "INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?, ?, ?)",
                    (f"{teacher}/{path.name}", span, teacher, category, len(samples), digest),
                )
            )
        await self._journal.say(*statements, Statement("INSERT INTO spans VALUES (?)", (span,)))


def _release_statement(slot: int, state: dict[str, object]) -> Statement:
    return Statement("INSERT OR REPLACE INTO releases VALUES (?, ?)", (slot, orjson.dumps(state)))


def _not_all_teachers(judged: ledger.JudgedAttempt) -> Reject:
    return Reject(
        query_id=judged.attempt.query_id,
        teacher=judged.attempt.teacher,
        stage="intersect",
        reason="not_all_teachers",
        evidence={"accepted_attempt": judged.attempt.number},
    )


def _sample(query: Query, judged: ledger.JudgedAttempt) -> Sample:
    parts = split_response(judged.attempt.text)
    assert judged.verdict is not None, "an accepted attempt has a verdict"
    return Sample(
        query=query,
        attempt=judged.attempt,
        verdict=judged.verdict,
        think=parts.think or "",
        answer=parts.answer or "",
        quality=judged.quality,
    )
