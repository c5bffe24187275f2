"""What the asker makes of servers that all go away for a while, and of a journal that can no longer be written."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.simulation.questions import simulated_queries
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, JournalError
from reasonmill.engine.teachers.protocol import TeacherFault
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.verify.boxes import last_boxed
from reasonmill.verify.verdict import scored

NUM_QUERIES = 60


async def verify(request):
    good = last_boxed(request.response) == request.ground_truth
    return scored(float(good), verifier="box", reason="ok" if good else "wrong_answer")


async def distil(folder, telemetry, *, meanwhile):
    """Ask simulated replicas until verified; `meanwhile(replicas, journal)` runs beside it."""
    queries = list(simulated_queries(NUM_QUERIES, seed=0, categories=("math",)))
    settings = SimulationSettings(replicas=3, seed=2, length_scale=0.2)
    replicas = open_replicas(settings, teacher="t", max_num_seqs=4, max_tokens=32_768)
    async with Journal(folder / "journal.sqlite") as journal, ReplicaSet("t", replicas) as teacher:
        await journal.say(*[ledger.insert_query(ordinal, query) for ordinal, query in enumerate(queries)])
        admitted = Channel("admitted", NUM_QUERIES)
        with admitted.writer():
            for ordinal, query in enumerate(queries):
                await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=("t",)))
        asker = Asker(
            teachers={"t": teacher},
            verify=verify,
            journal=journal,
            settings=AttemptSettings(),
            quality=QualitySettings(),
            run_seed=1,
            telemetry=telemetry,
            on_decided=lambda ordinal: None,
            on_retry=lambda ordinal, number: None,
        )
        beside = asyncio.create_task(meanwhile(replicas, journal))
        await asker.run(admitted)
        await beside
        await journal.flush()


def settled(folder):
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        return journal.execute("SELECT ordinal, number, last, reason FROM pairs ORDER BY 1").fetchall()


async def nothing(replicas, journal):
    """An undisturbed run."""


def run(folder, meanwhile):
    folder.mkdir()
    with closing(Telemetry(folder)) as telemetry:
        run_virtual(distil(folder, telemetry, meanwhile=meanwhile))
    return settled(folder), telemetry.counters


def test_all_replicas_gone_for_two_minutes_and_back_change_nothing_but_the_time(tmp_path):
    async def outage(replicas, journal):
        await asyncio.sleep(30.0)
        for replica in replicas:
            replica.die(120.0)

    expected, _ = run(tmp_path / "undisturbed", nothing)
    found, counters = run(tmp_path / "outage", outage)
    assert found == expected
    assert len(found) == NUM_QUERIES
    assert counters["teacher_faults"] > 0
    with closing(sqlite3.connect(tmp_path / "outage" / "journal.sqlite")) as journal:
        longest = journal.execute(
            "SELECT count(*) FROM attempts GROUP BY ordinal, number HAVING count(*) > 1"
        ).fetchall()
    assert longest == []


def test_a_journal_that_becomes_read_only_ends_the_run_and_what_it_held_is_whole(tmp_path):
    async def read_only(replicas, journal):
        await asyncio.sleep(60.0)
        journal._writer.execute("PRAGMA query_only = ON")

    said = r"journal '.*journal\.sqlite' cannot be written: attempt to write a readonly database"
    with pytest.raises(BaseExceptionGroup) as failed:
        run(tmp_path / "out", read_only)
    assert failed.group_contains(JournalError, match=said)
    with closing(sqlite3.connect(tmp_path / "out" / "journal.sqlite")) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        answers = journal.execute("SELECT count(*) FROM attempts").fetchone()[0]
        orphans = journal.execute(
            "SELECT count(*) FROM pairs LEFT JOIN attempts USING (ordinal, teacher, number)"
            " WHERE pairs.number IS NOT NULL AND seed IS NULL"
        ).fetchone()[0]
    assert answers > 0
    assert orphans == 0


def test_a_teacher_that_always_fails_one_question_ends_the_run_with_its_last_fault(distil, timed_teacher):
    class Ill(timed_teacher):
        async def generate(self, request):
            if request.query_id == "q1":
                self.asked.append(request.number)
                raise TeacherFault(f"fault {len(self.asked)}")
            return await super().generate(request)

    teacher = Ill(lambda ordinal, number: ("right", 1.0))
    with pytest.raises(BaseExceptionGroup) as failed:
        distil([teacher], 2, AttemptSettings(max_faults=5))
    assert failed.group_contains(TeacherFault)
    assert teacher.asked.count(1) == 6  # beside it others of the pair fail, and do not count for it
