"""A whole asking loop in virtual time: scripted outcomes, real journal, no other process."""

import asyncio
from contextlib import closing

import pytest

from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Message, Query
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.protocol import Generation
from reasonmill.verify.verdict import scored


class TimedTeacher:
    """Answers attempt k of query i with `outcome(i, k)` = (word, seconds); counts what is open at once."""

    def __init__(self, outcome, *, name="t", max_num_seqs=4):
        self.name, self.max_num_seqs = name, max_num_seqs
        self.outcome = outcome
        self.asked, self.ended = [], []
        self.open = self.most_open = 0
        self.grown = lambda: None

    def watch(self, grown):
        """Keep the one that asks to be told."""
        self.grown = grown

    async def generate(self, request):
        """Answer after the time that the outcome takes."""
        ordinal = int(request.query_id[1:])
        word, seconds = self.outcome(ordinal, request.number)
        self.asked.append((ordinal, request.number, request.messages[-1].content))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.open -= 1
        self.ended.append((ordinal, request.number))
        text = f"<think>it is</think><answer>{word}</answer>"
        return Generation(text=text, finish_reason="stop", prompt_tokens=3, completion_tokens=10, duration_s=seconds)


class World:
    """What a run left behind."""

    def __init__(self, folder):
        self.folder = folder
        self.decided, self.needed = [], []
        self.wall_s = 0.0
        self.counters = {}

    def rows(self, sql):
        """Rows of the journal."""
        import sqlite3

        with closing(sqlite3.connect(self.folder / "journal.sqlite")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def distil(tmp_path):
    """A function that asks and returns the World it left; called again, it goes on with the same run."""

    def run(teachers, num_queries, settings=None, *, check_s=0.0, checks=None, until=None):
        return run_virtual(
            _distil(tmp_path, teachers, num_queries, settings or AttemptSettings(), check_s, checks, until)
        )

    return run


async def _distil(folder, teachers, num_queries, settings, check_s, checks, until):
    world, loop = World(folder), asyncio.get_running_loop()

    async def verify(request):
        await asyncio.sleep(check_s)
        if checks is not None:
            return checks(request)
        good = "right" in request.response
        return scored(float(good), verifier="fake", reason="ok" if good else "wrong_answer")

    with closing(Telemetry(folder)) as telemetry:
        async with Journal(folder / "journal.sqlite") as journal:
            work = asyncio.create_task(_ask(journal, telemetry, teachers, num_queries, settings, verify, world))
            if until is not None:
                await asyncio.sleep(until)
                work.cancel()
            await asyncio.gather(work, return_exceptions=until is not None)
            world.wall_s = loop.time()
        world.counters = dict(telemetry.counters)
    return world


async def _ask(journal, telemetry, teachers, num_queries, settings, verify, world):
    known = {o for (o,) in await journal.rows("SELECT ordinal FROM queries")}
    queries = [
        Query(id=f"q{i}", messages=(Message(role="user", content=f"{i}?"),), category="math", source="t")
        for i in range(num_queries)
    ]
    await journal.say(*[ledger.insert_query(o, q) for o, q in enumerate(queries) if o not in known])
    await journal.flush()
    settled, history = await journal.read(
        lambda c: (ledger.read_settled(c, 0, num_queries), ledger.read_history(c, 0, num_queries))
    )
    admitted = Channel("admitted", 16)
    asker = Asker(
        teachers={teacher.name: teacher for teacher in teachers},
        verify=verify,
        journal=journal,
        settings=settings,
        quality=QualitySettings(),
        run_seed=5,
        telemetry=telemetry,
        on_decided=world.decided.append,
        on_retry=lambda ordinal, number: world.needed.append((ordinal, number)),
    )

    async def feed():
        with admitted.writer():
            for ordinal, query in enumerate(queries):
                names = tuple(t.name for t in teachers if (ordinal, t.name) not in settled)
                if names:
                    attempts = {n: history[ordinal, n] for n in names if (ordinal, n) in history}
                    await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=names, attempts=attempts))

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        group.create_task(asker.run(admitted))


@pytest.fixture
def timed_teacher():
    """The class TimedTeacher."""
    return TimedTeacher
