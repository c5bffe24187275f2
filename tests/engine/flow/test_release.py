"""Release: in query order whatever the order of decisions, once, and resumable between any two blocks."""

import asyncio
import random
from contextlib import closing
from itertools import pairwise

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.cohorts import Cohort
from reasonmill.engine.flow.frontier import BLOCK_QUERIES, LAG_BLOCKS, Frontier
from reasonmill.engine.flow.release import Releaser
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.records import Attempt, Message, Query
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.store.shards import read_samples
from reasonmill.verify.verdict import scored

NUM_QUERIES = 3 * BLOCK_QUERIES + 5
TEACHERS = ("a", "b")


class Rows:
    """A packing that remembers what was appended; its state is what a resumed one starts from."""

    def __init__(self, state=None):
        self.taken = list(state["taken"]) if state else []
        self.finished = bool(state and state["finished"])
        self.published = []

    def append(self, sample):
        if sample.query.id.endswith("8"):
            return "too_long"
        self.taken.append(f"{sample.query.id}/{sample.attempt.teacher}")
        return None

    def sync(self):
        return {"taken": list(self.taken), "finished": self.finished}

    def publish(self, state):
        self.published.append(len(state["taken"]))

    def finish(self):
        assert not self.finished, "finished twice"
        self.finished = True
        return self.sync()


def attempts_of(ordinal):
    """Attempts that each teacher needs, and whether it is accepted in the end: known, uneven, some never."""
    return {"a": (1 + ordinal % 3, ordinal % 5 != 0), "b": (1 + ordinal % 2, ordinal % 2 == 0)}


def place_of(ordinal):
    """Whether a query is deferred, and its slot among those that are or are not."""
    number = max(n for n, _ in attempts_of(ordinal).values())
    late = number > 2
    return late, ordinal // BLOCK_QUERIES + (number - (3 if late else 1)) * LAG_BLOCKS


async def fill(journal):
    statements = []
    for ordinal in range(NUM_QUERIES):
        query = Query(
            id=f"q{ordinal:03d}", messages=(Message(role="user", content=f"{ordinal}?"),), category="math", source="t"
        )
        statements.append(ledger.insert_query(ordinal, query))
        for teacher, (number, accepted) in attempts_of(ordinal).items():
            if accepted:
                text = "<think>x</think><answer>1</answer>"
                attempt = Attempt(
                    query_id=query.id, teacher=teacher, number=number, seed=1, text=text,
                    finish_reason="stop", prompt_tokens=1, completion_tokens=2, duration_s=0.0,
                )  # fmt: skip
                statements.append(ledger.insert_attempt(ordinal, attempt))
                statements.append(ledger.judge(ordinal, attempt, scored(1.0, verifier="t", reason="ok"), {}))
            reason = "ok" if accepted else "wrong"
            statements.append(ledger.settle(ordinal, teacher, number if accepted else None, number, reason))
    await journal.say(*statements)


def happenings(seed):
    """What the asker says, in a random order that keeps each query's own: its retries, then its decision."""
    rng = random.Random(seed)
    left = {}
    for ordinal in range(NUM_QUERIES):
        most = max(n for n, _ in attempts_of(ordinal).values())
        left[ordinal] = [("needs", n) for n in range(2, most + 1)] + [("decided", None)]
    while left:
        ordinal = rng.choice(sorted(left)[:40])
        yield ordinal, left[ordinal].pop(0)
        if not left[ordinal]:
            del left[ordinal]


async def release(journal, folder, packing, seed, *, intersection=False, until=None):
    with closing(Telemetry(folder)) as telemetry:
        await release_with(telemetry, journal, folder, packing, seed, intersection, until)


async def release_with(telemetry, journal, folder, packing, seed, intersection, until):
    releaser = Releaser(
        journal=journal,
        packing=packing,
        dataset=folder / "dataset",
        teachers=TEACHERS,
        eligible=lambda query: TEACHERS,
        num_queries=NUM_QUERIES,
        attempts=AttemptSettings(max_attempts=4, defer_after=2, survive="intersection" if intersection else "union"),
        shard_queries=2 * BLOCK_QUERIES,
        cohort=Cohort(number=0, teachers=(), last=True),
        telemetry=telemetry,
    )
    task = asyncio.create_task(releaser.run())
    for ordinal, (what, number) in happenings(seed):
        if what == "needs":
            releaser.needs(ordinal, number)
        else:
            releaser.decided(ordinal)
        await asyncio.sleep(0)
    if until is None:
        await task
    else:
        while not task.done():
            rows = await journal.rows("SELECT count(*) FROM releases")
            if rows[0][0] >= until:
                break
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def expected(intersection=False):
    taken = []
    for ordinal in sorted(range(NUM_QUERIES), key=lambda o: (place_of(o), o)):
        answered = [t for t, (_, accepted) in attempts_of(ordinal).items() if accepted]
        if intersection and len(answered) < 2:
            continue
        taken += [f"q{ordinal:03d}/{t}" for t in answered if ordinal % 10 != 8]
    return taken


@pytest.mark.parametrize("intersection", [False, True])
def test_samples_are_released_by_query_and_attempt_whatever_the_order_of_events(tmp_path, intersection):
    packing = Rows()

    async def scenario():
        async with Journal(tmp_path / "j.sqlite") as journal:
            await fill(journal)
            await release(journal, tmp_path, packing, 3, intersection=intersection)
            return await journal.rows("SELECT stage, reason, count(*) FROM rejects GROUP BY 1, 2")

    rejects = asyncio.run(scenario())
    assert packing.taken == expected(intersection)
    assert all(earlier <= later for earlier, later in pairwise(packing.published))
    kinds = {(stage, reason) for stage, reason, _ in rejects}
    assert ("pack", "too_long") in kinds
    assert (("intersect", "not_all_teachers") in kinds) == intersection
    written = [
        f"{s.query.id}/{s.attempt.teacher}" for s in read_samples(sorted((tmp_path / "dataset").rglob("*.parquet")))
    ]
    too_long_too = {f"q{o:03d}/{t}" for o in range(8, NUM_QUERIES, 10) for t in TEACHERS}
    assert set(written) == set(expected(intersection)) | too_long_too
    assert len(written) == len(set(written))


def test_a_query_that_needs_many_attempts_holds_up_only_its_own_sample():
    frontier = Frontier(num_queries=10 * BLOCK_QUERIES, max_attempts=4)
    for ordinal in range(1, 10 * BLOCK_QUERIES):
        frontier.decided(ordinal)
    assert not frontier.open(0)  # query 0 may still end at its first attempt
    frontier.needs(0, 2)
    assert frontier.open(LAG_BLOCKS - 1)
    assert not frontier.open(LAG_BLOCKS)  # where it goes if its second attempt is its last
    frontier.needs(0, 4)
    assert frontier.open(3 * LAG_BLOCKS - 1)
    frontier.decided(0)
    assert all(frontier.open(slot) for slot in range(frontier.num_slots))


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 60), st.integers(1, 60))
def test_each_block_and_attempt_is_a_member_of_exactly_the_slot_that_is_its_own(num_queries, attempts, defer_after):
    frontier = Frontier(num_queries, attempts, defer_after)
    found = {pair: slot for slot in range(frontier.num_slots) for pair in frontier.members(slot)}
    every = [(block, number) for block in range(frontier.num_blocks) for number in range(1, attempts + 1)]
    assert found == {pair: frontier.slot_of(*pair) for pair in every}
    for slot in range(frontier.num_slots):
        blocks = [block for block, _ in frontier.members(slot)]
        assert blocks == sorted(blocks)  # oldest first


def test_a_deferred_query_belongs_behind_all_others_and_holds_up_none_of_them():
    frontier = Frontier(num_queries=3 * BLOCK_QUERIES, max_attempts=4, defer_after=2)
    for ordinal in range(1, 3 * BLOCK_QUERIES):
        frontier.decided(ordinal)
    frontier.needs(0, 3)
    early = 3 + LAG_BLOCKS
    assert all(frontier.open(slot) for slot in range(early))
    assert frontier.complete(0, late=False)
    assert not frontier.complete(0, late=True)
    assert not frontier.open(early)  # where it goes if its third attempt is its last
    assert frontier.members(early) == [(0, 3)]
    assert frontier.open(early + 1)
    frontier.decided(0)
    assert frontier.complete(0, late=True)
    placed = [member for slot in range(frontier.num_slots) for member in frontier.members(slot)]
    assert sorted(placed) == sorted((block, number) for block in range(3) for number in range(1, 5))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 9), max_size=2), seed=st.integers(0, 99))
def test_a_run_cut_between_blocks_ends_with_the_same_rows_and_files(tmp_path_factory, cuts, seed):
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")

    async def scenario(folder, stops):
        async with Journal(folder / "j.sqlite") as journal:
            await fill(journal)
        packing = Rows()
        for stop in [*stops, None]:
            async with Journal(folder / "j.sqlite") as journal:
                rows = await journal.rows("SELECT packed_state FROM releases ORDER BY slot DESC LIMIT 1")
                packing = Rows(orjson.loads(rows[0][0]) if rows else None)
                await release(journal, folder, packing, seed + len(stops), until=stop)
        return packing.taken

    assert asyncio.run(scenario(cut, cuts)) == asyncio.run(scenario(whole, [])) == expected()

    def files(folder):
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted((folder / "dataset").rglob("*.parquet"))}

    assert files(cut) == files(whole)
