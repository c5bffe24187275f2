"""Ask until verified: every pair is settled exactly once, whatever teachers and checks do."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasonmill.engine.distill import asker as asker_module
from reasonmill.engine.distill import judging
from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Message, Query, attempt_seed
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.protocol import Generation, RequestRefused, TeacherFault
from reasonmill.verify.verdict import not_run, scored


class Scripted:
    """A teacher whose answer to (query, number) is a word of a plan: right, wrong, fault, refuse."""

    def __init__(self, name, plan, max_num_seqs=4):
        self.name, self.max_num_seqs = name, max_num_seqs
        self.plan = plan
        self.asked = []
        self.faulted = set()

    def watch(self, grown):
        """Its room never changes."""

    async def generate(self, request):
        self.asked.append((request.query_id, request.number, request.seed))
        await asyncio.sleep(0)
        word = self.plan.get((request.query_id, request.number), "wrong")
        if word == "refuse":
            raise RequestRefused("too long")
        if word == "fault" and (request.query_id, request.number) not in self.faulted:
            self.faulted.add((request.query_id, request.number))
            raise TeacherFault("gone")
        text = f"<think>it is</think><answer>{'wrong' if word == 'fault' else word}</answer>"
        return Generation(text=text, finish_reason="stop", prompt_tokens=3, completion_tokens=5, duration_s=0.0)


class Checks:
    """Verdicts by the word in the answer; `flaky` cannot be checked the first time."""

    def __init__(self):
        self.flaked = set()

    async def __call__(self, request):
        await asyncio.sleep(0)
        if "flaky" in request.response and request.id not in self.flaked:
            self.flaked.add(request.id)
            return not_run("worker_died", verifier="fake")
        if "monster" in request.response:
            return not_run("worker_died_twice", verifier="fake")
        if "uncheckable" in request.response:
            return not_run("unverifiable_gold", verifier="fake")
        good = "right" in request.response or "flaky" in request.response
        return scored(float(good), verifier="fake", reason="ok" if good else "wrong_answer")


def queries(number):
    return [
        Query(id=f"q{i}", messages=(Message(role="user", content=f"{i}?"),), category="math", source="t")
        for i in range(number)
    ]


async def ask(folder, teachers, number, *, stop_after=None, max_attempts=3, drain=True):
    """Ask `number` queries; with `stop_after`, cancel everything after that many turns of the loop."""
    telemetry = Telemetry(folder)
    try:
        async with Journal(folder / "journal.sqlite") as journal:
            work = asyncio.create_task(ask_all(journal, telemetry, teachers, number, max_attempts, drain))
            if stop_after is not None:
                for _ in range(stop_after):
                    await asyncio.sleep(0)
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            decided = await work if stop_after is None else []
            await journal.flush()
            pairs = await journal.rows("SELECT ordinal, teacher, number, reason FROM pairs ORDER BY 1, 2")
            attempts = await journal.rows(  # those that count: the drain may have asked more, and not yet judged them
                "SELECT ordinal, teacher, attempts.number, outcome FROM attempts JOIN pairs USING (ordinal, teacher)"
                " WHERE attempts.number <= pairs.last ORDER BY 1, 2, 3"
            )
            rejects = await journal.rows("SELECT query_id, teacher, reason FROM rejects ORDER BY 1, 2")
    finally:
        telemetry.close()
    return pairs, attempts, rejects, decided


async def ask_all(journal, telemetry, teachers, number, max_attempts, drain):
    decided = []
    items = queries(number)
    known = {o for (o,) in await journal.rows("SELECT ordinal FROM queries")}
    await journal.say(*[ledger.insert_query(o, q) for o, q in enumerate(items) if o not in known])
    await journal.flush()
    settled, history = await journal.read(
        lambda c: (ledger.read_settled(c, 0, number), ledger.read_history(c, 0, number))
    )
    admitted = Channel("admitted", 2)
    asker = Asker(
        teachers=teachers,
        verify=Checks(),
        journal=journal,
        settings=AttemptSettings(max_attempts=max_attempts, defer_after=2, max_open_queries=3, drain=drain),
        quality=QualitySettings(),
        run_seed=5,
        telemetry=telemetry,
        on_decided=decided.append,
        on_retry=lambda ordinal, number: None,
    )

    async def feed():
        with admitted.writer():
            for ordinal, query in enumerate(items):
                names = tuple(n for n in teachers if (ordinal, n) not in settled)
                if names:
                    attempts = {n: history[ordinal, n] for n in names if (ordinal, n) in history}
                    await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=names, attempts=attempts))

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        group.create_task(asker.run(admitted))
    return decided


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(asker_module, "FAULT_PAUSE_S", 0.0)
    monkeypatch.setattr(judging, "CHECK_PAUSE_S", 0.0)


def test_each_pair_ends_once_with_its_attempt_or_its_reason(tmp_path):
    plan = {
        ("q0", 1): "right",
        ("q1", 3): "right",
        ("q3", 1): "uncheckable",
        ("q4", 1): "refuse",
        ("q5", 1): "fault", ("q5", 2): "right",
        ("q6", 1): "flaky",
        ("q7", 1): "monster", ("q7", 2): "right",
    }  # fmt: skip
    teacher = Scripted("t", plan)
    pairs, attempts, rejects, decided = asyncio.run(ask(tmp_path, {"t": teacher}, 8))
    assert [(p[0], p[2], p[3]) for p in pairs] == [
        (0, 1, "ok"),
        (1, 3, "ok"),
        (2, None, "wrong_answer"),
        (3, None, "unverifiable_gold"),
        (4, None, "refused"),
        (5, 2, "ok"),
        (6, 1, "ok"),
        (7, 2, "ok"),
    ]
    assert [r[0] for r in rejects] == ["q2", "q3", "q4"]
    assert sorted(decided) == list(range(8))
    assert [(a[0], a[2]) for a in attempts] == [
        (0, 1), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (5, 1), (5, 2), (6, 1), (7, 1), (7, 2)
    ]  # fmt: skip


def test_a_fault_costs_no_attempt_and_keeps_the_seed(tmp_path):
    teacher = Scripted("t", {("q0", 1): "fault", ("q0", 2): "right"})
    asyncio.run(ask(tmp_path, {"t": teacher}, 1, drain=False))
    assert teacher.asked == [("q0", n, attempt_seed(5, "q0", "t", n)) for n in (1, 1, 2)]


def test_a_teacher_that_fails_for_good_stops_the_run_with_its_words(tmp_path):
    class Dead(Scripted):
        async def generate(self, request):
            raise TeacherFault("the engine is gone for good")

    with pytest.raises(ExceptionGroup) as failure:
        asyncio.run(ask(tmp_path, {"t": Dead("t", {})}, 2))
    assert "gone for good" in str(failure.value.exceptions[0].exceptions[0])


words = st.sampled_from(["right", "wrong", "uncheckable", "refuse", "fault", "flaky", "monster"])
plans = st.dictionaries(st.tuples(st.sampled_from([f"q{i}" for i in range(5)]), st.integers(1, 3)), words)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=plans, second=plans, stops=st.lists(st.integers(1, 60), max_size=3))
def test_a_run_that_was_stopped_anywhere_ends_as_an_undisturbed_one(tmp_path_factory, first, second, stops):
    whole, cut = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("cut")
    teachers = {"a": Scripted("a", first), "b": Scripted("b", second, max_num_seqs=1)}
    expected = asyncio.run(ask(whole, teachers, 5))
    for stop_after in [*stops, None]:
        teachers = {"a": Scripted("a", first), "b": Scripted("b", second, max_num_seqs=1)}
        resumed = asyncio.run(ask(cut, teachers, 5, stop_after=stop_after))
    assert resumed[0] == expected[0]
    assert resumed[1] == expected[1]
    assert resumed[2] == expected[2]
