"""The one file that knows all stages: wires a recipe into a running stream and tears it down in order.

    queries ─► curate ─► admitted ─► ask ⇄ verify ─► release ─► dataset, packed rows ─► trainer ─► evaluate

Every query enters once and leaves once. A stage that fails stops the run and the journal keeps what was done; a stop
from outside does the same. `resume` goes on from the journal.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.distill.asker import Asker, OpenQuery
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.curation import curate_once
from reasonmill.engine.flow.evaluation import evaluate_students, evaluate_teachers
from reasonmill.engine.flow.feeder import eligible, feed
from reasonmill.engine.flow.inputs import Inputs
from reasonmill.engine.flow.packing_sink import PackingSink
from reasonmill.engine.flow.release import Releaser
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.flow.training import train
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.store.journal import Journal, meta_statement
from reasonmill.engine.teachers.open import open_teachers
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.verify.pool import VerifierPool

ADMITTED_BOUND = 128  # queries between the feeder and the asker
TICK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """What the parts of a run share."""

    recipe: Recipe
    paths: RunDirectory
    journal: Journal
    telemetry: Telemetry
    inputs: Inputs


async def run_pipeline(
    recipe: Recipe, paths: RunDirectory, inputs: Inputs, telemetry: Telemetry, *, show: Callable[[], None]
) -> None:
    """Run a resolved recipe to its end in a held run directory. Raises what stopped it; the journal is closed then."""
    async with Journal(paths.journal) as journal, _Ticking(telemetry, show):
        run = Running(recipe=recipe, paths=paths, journal=journal, telemetry=telemetry, inputs=inputs)
        async with asyncio.TaskGroup() as group:
            trained = None
            if recipe.train is not None and recipe.pack is not None:
                paths.packed.mkdir(exist_ok=True)
                training = train(paths, recipe.train, recipe.pack.tokenizer, telemetry)
                trained = group.create_task(training, name="train")
            if not await journal.rows("SELECT 1 FROM meta WHERE key = 'distilled'"):
                await _distil(run)
                await journal.say(meta_statement("distilled", True))
            if trained is not None:
                await trained
        await evaluate_students(recipe, paths, telemetry)


async def _distil(run: Running) -> None:
    """From queries to dataset and packed rows; the teachers are closed when it returns."""
    recipe, paths, journal, telemetry = run.recipe, run.paths, run.journal, run.telemetry
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(
            stack.enter_async_context(open_teachers(recipe.teachers, log_dir=paths.logs)), name="open teachers"
        )
        try:
            evaluation = await asyncio.to_thread(load_evaluation, recipe.curate.against)
            num_queries = await curate_once(
                journal, run.inputs.queries, recipe.queries, recipe.curate, evaluation, telemetry
            )
            check = None
            if recipe.curate.embeddings.enabled and any("embedding" in item.rules for item in evaluation):
                decontaminator = EmbeddingDecontaminator(evaluation, recipe.curate)
                check = await stack.enter_async_context(decontaminator)
            pool = await stack.enter_async_context(VerifierPool(recipe.verify))
            releaser = await _releaser(run, num_queries)
        except BaseException:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            raise
        teachers = await opening
        await _stream(run, teachers, pool, check, releaser)
        await evaluate_teachers(recipe, paths, teachers, pool, telemetry)


async def _stream(
    run: Running,
    teachers: dict[str, Teacher],
    pool: VerifierPool,
    check: EmbeddingDecontaminator | None,
    releaser: Releaser,
) -> None:
    admitted: Channel[OpenQuery] = Channel("admitted", ADMITTED_BOUND)
    run.telemetry.watch(admitted)
    asker = Asker(
        teachers=teachers,
        verify=pool.verify,
        journal=run.journal,
        settings=run.recipe.attempts,
        quality=run.recipe.quality,
        run_seed=run.recipe.run.seed,
        telemetry=run.telemetry,
        on_decided=releaser.decided,
        on_retry=releaser.needs,
    )
    async with asyncio.TaskGroup() as group:
        feeding = feed(
            journal=run.journal,
            check=check,
            teachers=run.recipe.teachers,
            releaser=releaser,
            queries=admitted,
            telemetry=run.telemetry,
        )
        group.create_task(feeding, name="feed")
        group.create_task(asker.run(admitted), name="ask")
        group.create_task(releaser.run(), name="release")


async def _releaser(run: Running, num_queries: int) -> Releaser:
    recipe, paths = run.recipe, run.paths
    packing = None
    if recipe.pack is not None:
        rows = await run.journal.rows("SELECT packed_state FROM releases ORDER BY slot DESC LIMIT 1")
        state = orjson.loads(rows[0][0]) if rows else None
        packing = await asyncio.to_thread(_open_packing, paths.packed, recipe, state)
    return Releaser(
        journal=run.journal,
        packing=packing,
        dataset=paths.dataset,
        teachers=[teacher.name for teacher in recipe.teachers],
        eligible=partial(eligible, recipe.teachers),
        intersection=recipe.attempts.survive == "intersection",
        num_queries=num_queries,
        max_attempts=recipe.attempts.max_attempts,
        shard_queries=recipe.run.shard_queries,
        telemetry=run.telemetry,
    )


def _open_packing(folder: Path, recipe: Recipe, state: dict[str, Any] | None) -> PackingSink:
    from reasonmill.packing.chat import ChatEncoder  # only a recipe that packs needs tokenizers

    assert recipe.pack is not None, "packing is opened only for a recipe that packs"
    return PackingSink(folder, recipe.pack, ChatEncoder(recipe.pack.tokenizer), state)


class _Ticking:
    """Writes telemetry and shows progress while the block runs."""

    def __init__(self, telemetry: Telemetry, show: Callable[[], None]) -> None:
        self._telemetry = telemetry
        self._show = show
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._tick(), name="tick")

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None, "left before it was entered"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            self._telemetry.tick()
            self._show()
            await asyncio.sleep(TICK_S)
