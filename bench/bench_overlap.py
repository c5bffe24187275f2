"""How well asking, checking and writing overlap: the wall time of the slowest of them alone, by that of all together.

Simulated teachers in real time, algebra that worker processes check, a run's own asker and journal. Alone means: the
teachers with verdicts that are known at once and nothing written; the checks of the same answers, all there from the
beginning; the same statements said to a journal. In one shape the teachers are the slowest, as in a real run, in the
other the checks.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.repetition import repetition
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Query
from reasonmill.engine.simulation.questions import right_answer, simulated_query
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal, Statement
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, Replica
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.verify.boxes import last_boxed
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict, scored

TARGET = 0.97
REPLICAS, PLACES = 2, 16
# no query is set aside: where nothing is written, nothing can be read back
ATTEMPTS = AttemptSettings(max_attempts=8, defer_after=8)

Verify = Callable[[VerifyRequest], Awaitable[Verdict]]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One load. `algebra_every`-th queries are checked by algebra, the others by rules."""

    name: str
    queries: int
    algebra_every: int
    speed_up: float  # of the simulated teachers


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What a run asked of its checks and said to its journal, in that order."""

    requests: list[VerifyRequest] = field(default_factory=list)
    statements: list[tuple[Statement, ...]] = field(default_factory=list)


def measure(scale: Scale) -> Iterator[Figure]:
    """`ci`: each shape once, some 25 s. `node`: five rounds, some minutes."""
    rounds, longer = (1, 1) if scale == "ci" else (5, 2)
    teachers = Shape(name="teachers_slowest", queries=200 * longer, algebra_every=8, speed_up=250.0)
    checks = Shape(name="checks_slowest", queries=100 * longer, algebra_every=1, speed_up=2000.0)
    for shape in (teachers, checks):
        yield _figure(shape, asyncio.run(_rounds(shape, rounds)))


def _figure(shape: Shape, rounds: Sequence[dict[str, float]]) -> Figure:
    shares = [max(seconds for name, seconds in one.items() if name != "together") / one["together"] for one in rounds]
    return Figure(
        name=f"overlap_efficiency_{shape.name}",
        value=statistics.median(shares),
        unit="of 1",
        target=TARGET if shape.name == "teachers_slowest" else None,
        detail={"lowest": min(shares), "highest": max(shares), "rounds_s": list(rounds), "queries": shape.queries},
    )


async def _rounds(shape: Shape, rounds: int) -> list[dict[str, float]]:
    found = []
    repetition("ready", 1)  # compiled code is loaded before the first answer, as in a run
    async with VerifierPool(VerifySettings(cache_size=0)) as pool:
        warm = [_right_request(simulated_query(1, number, category="math")) for number in range(4 * pool.num_workers)]
        await _check_all(pool, warm)
        for _ in range(rounds):
            seen = _Seen()
            one = {"teachers": await _timed(_ask(shape, _known, None))}
            one["together"] = await _timed(_ask(shape, pool.verify, seen))
            one["checks"] = await _timed(_check_all(pool, seen.requests))
            one["journal"] = await _timed(_write_all(seen.statements))
            found.append(one)
    return found


async def _timed(work: Awaitable[None]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _known(request: VerifyRequest) -> Verdict:
    """The verdict without a check: the text of a right answer is known."""
    right = last_boxed(request.response) == _right_text(request.ground_truth or "")
    return scored(float(right), verifier="known", reason="ok" if right else "wrong_answer")


async def _check_all(pool: VerifierPool, requests: Sequence[VerifyRequest]) -> None:
    async for _ in pool.verify_all(requests, in_order=False):
        pass


async def _write_all(statements: Sequence[tuple[Statement, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with Journal(Path(folder) / "journal.sqlite") as journal:
            for said in statements:
                await journal.say(*said)
            await journal.flush()


async def _ask(shape: Shape, verify: Verify, seen: _Seen | None) -> None:
    """All queries through asker and teachers; what is asked and said is noted in `seen`, without it nothing is
    written.
    """
    queries = [_query(shape, number) for number in range(shape.queries)]
    settings = SimulationSettings(replicas=REPLICAS, seed=1, speed_up=shape.speed_up)
    simulated = open_replicas(settings, teacher="AM", max_num_seqs=PLACES, max_tokens=32_768)
    replicas = [_Algebraic(one) for one in simulated]
    with tempfile.TemporaryDirectory() as name, closing(Telemetry(Path(name))) as telemetry:
        path = Path(name) / "journal.sqlite"
        async with (
            _Unwritten(path) if seen is None else _Noted(path, seen) as journal,
            ReplicaSet("AM", replicas, BalanceSettings(initial_num_seqs=PLACES, poll_s=30.0)) as teacher,
        ):
            await journal.say(*[ledger.insert_query(ordinal, query) for ordinal, query in enumerate(queries)])
            admitted: Channel[OpenQuery] = Channel("admitted", 128)

            async def checked(request: VerifyRequest) -> Verdict:
                if seen is not None:
                    seen.requests.append(request)
                return await verify(request)

            async def feed() -> None:
                with admitted.writer():
                    for ordinal, query in enumerate(queries):
                        await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=("AM",)))

            asker = Asker(
                teachers={"AM": teacher},
                verify=checked,
                journal=journal,
                settings=ATTEMPTS,
                quality=QualitySettings(),
                run_seed=1,
                telemetry=telemetry,
                on_decided=lambda ordinal: None,
                on_retry=lambda ordinal, number: None,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(feed())
                group.create_task(asker.run(admitted))
            await journal.flush()
        assert telemetry.counters["accepted"] > 0.8 * shape.queries, "right answers are told from wrong ones"


class _Noted(Journal):
    """A journal that notes what was said to it."""

    def __init__(self, path: Path, seen: _Seen) -> None:
        super().__init__(path)
        self._seen = seen

    async def say(self, *statements: Statement) -> None:
        """Note and say."""
        self._seen.statements.append(statements)
        await super().say(*statements)


class _Unwritten(Journal):
    """A journal that nothing is said to."""

    async def say(self, *statements: Statement) -> None:
        """Nothing."""


class _Algebraic:
    """A simulated replica whose answers are expressions in place of numbers."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.name = replica.name
        self.max_num_seqs = replica.max_num_seqs
        self.load = replica.load

    async def generate(self, request: GenerationRequest) -> Generation:
        """The replica's answer, put as the query's reference is."""
        answer = await self._replica.generate(request)
        number = last_boxed(answer.text)
        if not request.query_id.startswith(_ALGEBRA) or number is None:
            return answer
        truth = right_answer(request.messages[-1].content) or ""
        text = _factored(truth) if number == truth else _factored(truth, wrong_by=1 + request.seed % 9973)
        return replace(answer, text=answer.text.replace(number, text))


_ALGEBRA = "algebra-"


def _query(shape: Shape, number: int) -> Query:
    query = simulated_query(0, number, category="math")
    if number % shape.algebra_every:
        return query
    truth = query.ground_truth or ""
    return replace(query, id=f"{_ALGEBRA}{number}", ground_truth=_expanded(truth))


def _right_request(query: Query) -> VerifyRequest:
    truth = query.ground_truth or "100000"
    response = f"<think>\nso\n</think>\n<answer>\\boxed{{{_factored(truth)}}}</answer>"
    return VerifyRequest(
        id=query.id, category="math", prompt=query.prompt, response=response, ground_truth=_expanded(truth)
    )


def _expanded(number: str) -> str:
    return f"{number[:3]}x^2+{number[3:]}x"


def _factored(number: str, *, wrong_by: int = 0) -> str:
    return f"x({number[:3]}x+{int(number[3:]) + wrong_by})"


def _right_text(reference: str) -> str:
    if "x" not in reference:
        return reference
    first, second = reference.removesuffix("x").split("x^2+")
    return _factored(first + second)
