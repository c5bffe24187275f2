"""A rehearsal: the recipe's scheduler itself, with a journal and verdicts, over simulated teachers in virtual time.
What it says of retries, drains and tails is so what the scheduler does, and not what a formula thinks of it.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.records import Query
from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.bounds import World, work_s
from reasonmill.engine.simulation.questions import right_answer
from reasonmill.engine.simulation.replica import SimulatedReplica
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.store import ledger
from reasonmill.engine.store.accepted import accepted_attempts
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, Teacher
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.verify.answer import split_response
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict, scored

ADMITTED_BOUND = 128  # as in a run


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A teacher as it is rehearsed: its settings, the world that answers for it, and its answers."""

    settings: TeacherSettings
    world: SimulationSettings
    answers: AnswerModel


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherFigures:
    """What one teacher did. `seconds` until its last answer; `steady_share` of its replicas' full batches was in use
    while there were queries left to open.
    """

    seconds: float
    steady_share: float
    pairs: int
    attempts: int
    accepted: int
    generated_tokens: int
    accepted_tokens: int


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What a rehearsal came to."""

    seconds: float  # until the last verdict
    queries: int
    teachers: dict[str, TeacherFigures]
    checks: int
    check_s: dict[str, float]  # by category, of all checks, those that were cancelled included


def rehearse(recipe: Recipe, plan: PlanSettings, stands: Sequence[Stand], queries: Sequence[Query]) -> Rehearsed:
    """Run the scheduler over these queries. The files it needs are gone when it returns."""
    with (
        tempfile.TemporaryDirectory(prefix="reasonmill-plan-", dir=_fast_folder()) as folder,
        closing(Telemetry(Path(folder))) as telemetry,
    ):
        return run_virtual(_rehearse(recipe, plan, stands, queries, Path(folder), telemetry))


async def _rehearse(
    recipe: Recipe,
    plan: PlanSettings,
    stands: Sequence[Stand],
    queries: Sequence[Query],
    folder: Path,
    telemetry: Telemetry,
) -> Rehearsed:
    checks = _Checks(recipe, plan, queries)
    async with Journal(folder / "journal.sqlite") as journal:
        await journal.say(*(ledger.insert_query(ordinal, query) for ordinal, query in enumerate(queries)))
        await journal.flush()
        async with AsyncExitStack() as stack:
            watched = {
                one.settings.name: _Watched(await stack.enter_async_context(_open(one)), recipe, one) for one in stands
            }
            asker = Asker(
                teachers=watched,
                verify=checks.verify,
                journal=journal,
                settings=recipe.attempts,
                quality=recipe.quality,
                run_seed=recipe.run.seed,
                telemetry=telemetry,
                on_decided=lambda ordinal: None,
                on_retry=lambda ordinal, number: None,
            )
            admitted: Channel[OpenQuery] = Channel("admitted", ADMITTED_BOUND)
            async with asyncio.TaskGroup() as group:
                group.create_task(_feed(admitted, queries, stands, watched.values()))
                group.create_task(asker.run(admitted))
            seconds = asyncio.get_running_loop().time()
        await journal.flush()
        kept = accepted_attempts(recipe.attempts.mode)
        teachers = {name: await _figures(journal, teacher, kept) for name, teacher in watched.items()}
    return Rehearsed(
        seconds=seconds, queries=len(queries), teachers=teachers, checks=checks.number, check_s=checks.seconds
    )


def stand_world(recipe: Recipe, stand: Stand) -> World:
    """The teacher as bounds see it."""
    return World(
        settings=stand.world,
        teacher=stand.settings.name,
        max_num_seqs=stand.settings.max_num_seqs,
        max_tokens=stand.settings.max_tokens,
        max_attempts=recipe.attempts.last_number,
        until_right=recipe.attempts.mode != "k_pass",
        run_seed=recipe.run.seed,
        answers=stand.answers,
    )


def _open(stand: Stand) -> ReplicaSet:
    names = [f"{stand.settings.name}-{number}" for number in range(stand.world.replicas)]
    room = stand.settings.max_num_seqs
    replicas = [
        SimulatedReplica(name, answers=stand.answers, settings=stand.world, max_num_seqs=room) for name in names
    ]
    return ReplicaSet(stand.settings.name, replicas, BalanceSettings(initial_num_seqs=room))


async def _feed(
    admitted: Channel[OpenQuery], queries: Sequence[Query], stands: Sequence[Stand], watched: Iterable["_Watched"]
) -> None:
    with admitted.writer():
        for ordinal, query in enumerate(queries):
            if ordinal in (len(queries) // 3, len(queries) - 1):
                for teacher in watched:
                    teacher.mark()
            names = tuple(
                stand.settings.name
                for stand in stands
                if not stand.settings.categories or query.category in stand.settings.categories
            )
            if names:
                await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=names))


async def _figures(journal: Journal, watched: "_Watched", accepted: str) -> TeacherFigures:
    teacher = watched.name
    asked = await journal.rows(
        "SELECT count(*), coalesce(sum(completion_tokens), 0) FROM attempts WHERE teacher = ?", (teacher,)
    )
    kept = await journal.rows(
        "SELECT count(*), coalesce(sum(completion_tokens), 0) FROM pairs JOIN attempts USING (ordinal, teacher)"
        f" WHERE teacher = ? AND {accepted}",
        (teacher,),
    )
    pairs = await journal.rows("SELECT count(*) FROM pairs WHERE teacher = ?", (teacher,))
    return TeacherFigures(
        seconds=watched.last_s,
        steady_share=watched.steady_share,
        pairs=pairs[0][0],
        attempts=asked[0][0],
        accepted=kept[0][0],
        generated_tokens=asked[0][1],
        accepted_tokens=kept[0][1],
    )


class _Watched:
    """A teacher that remembers when it answered last, and the work that it did between two marks."""

    def __init__(self, teacher: Teacher, recipe: Recipe, stand: Stand) -> None:
        self._teacher = teacher
        self._world = stand_world(recipe, stand)
        self._work_s = 0.0
        self._marks: list[tuple[float, float]] = []
        self.last_s = 0.0

    def mark(self) -> None:
        self._marks.append((asyncio.get_running_loop().time(), self._work_s))

    @property
    def steady_share(self) -> float:
        if len(self._marks) < 2 or self._marks[1][0] <= self._marks[0][0]:
            return 1.0
        (begin, before), (end, after) = self._marks[0], self._marks[1]
        return (after - before) / (end - begin) / self._world.capacity

    @property
    def name(self) -> str:
        return self._teacher.name

    @property
    def max_num_seqs(self) -> int:
        return self._teacher.max_num_seqs

    def watch(self, grown: Callable[[], None]) -> None:
        self._teacher.watch(grown)

    async def generate(self, request: GenerationRequest) -> Generation:
        answer = await self._teacher.generate(request)
        self.last_s = asyncio.get_running_loop().time()
        self._work_s += work_s(
            answer.completion_tokens, answer.prompt_tokens, self._world, batch=self._world.max_num_seqs
        )
        return answer


class _Checks:
    """Verdicts that take their time: programs in as many sandboxes as the recipe has, the rest on its cores."""

    def __init__(self, recipe: Recipe, plan: PlanSettings, queries: Sequence[Query]) -> None:
        self._plan = plan
        self._slots = asyncio.Semaphore(recipe.verify.sandbox.num_slots)
        self._workers = asyncio.Semaphore(max(1, recipe.verify.num_math_workers))
        self._truths: Mapping[str, str] = {q.prompt: q.ground_truth for q in queries if q.ground_truth}
        self.number = 0
        self.seconds: dict[str, float] = {}

    async def verify(self, request: VerifyRequest) -> Verdict:
        """The verdict that the model of the answer implies."""
        loop, category = asyncio.get_running_loop(), request.category
        async with self._slots if category == "code" else self._workers:
            began = loop.time()
            try:
                await asyncio.sleep(self._plan.check_s(category))
            finally:
                self.number += 1
                self.seconds[category] = self.seconds.get(category, 0.0) + loop.time() - began
        parts = split_response(request.response)
        truth = self._truths.get(request.prompt) or right_answer(request.prompt)
        right = truth is not None and parts.finished and _says(parts.answer or "", truth)
        return scored(float(right), verifier="rehearsal", reason="ok" if right else "wrong_answer")


def _says(answer: str, truth: str) -> bool:
    return re.search(rf"(?<!\d){re.escape(truth)}(?!\d)", answer) is not None


def _fast_folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
