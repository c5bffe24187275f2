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
from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.cohorts import Cohort, finish_cohort, open_cohorts
from reasonmill.engine.flow.collector import seldom_collected
from reasonmill.engine.flow.curation import Curation
from reasonmill.engine.flow.evaluation import evaluate_students, evaluate_teachers
from reasonmill.engine.flow.feeder import eligible, feed
from reasonmill.engine.flow.inputs import Inputs
from reasonmill.engine.flow.packing_sink import PackingSink
from reasonmill.engine.flow.release import LAST_PACKED_STATE, Releaser
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.sandbox_warning import warn_without_sandbox
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.flow.training import train
from reasonmill.engine.quality.repetition import repetition
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.store.shards import load_libraries
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
    async with Journal(paths.journal) as journal, asyncio.TaskGroup() as whole:
        ticking = whole.create_task(_tick(telemetry, show), name="tick")
        run = Running(recipe=recipe, paths=paths, journal=journal, telemetry=telemetry, inputs=inputs)
        await _stages(run)
        ticking.cancel()


async def _stages(run: Running) -> None:
    """Distil and train at once, then evaluate."""
    recipe, paths, journal, telemetry = run.recipe, run.paths, run.journal, run.telemetry
    async with asyncio.TaskGroup() as group:
        trained = None
        if recipe.train is not None and recipe.pack is not None:
            paths.packed.mkdir(exist_ok=True)
            training = train(paths, recipe.train, recipe.pack.tokenizer, telemetry)
            trained = group.create_task(training, name="train")
        cohorts = await open_cohorts(journal, recipe.teachers, survive=recipe.attempts.survive)
        if cohorts:
            await _distil(run, cohorts)
        if trained is not None:
            await _check_rows(run)
            await trained
    await evaluate_students(recipe, paths, telemetry)


async def _check_rows(run: Running) -> None:
    """Raise RunFailed where there is nothing to train on, rather than let the trainer find out."""
    rows = await run.journal.rows(LAST_PACKED_STATE)
    if not rows or not orjson.loads(rows[0][0])["num_rows"]:
        raise RunFailed(
            "there is nothing to train on: no accepted sample became a packed row; "
            f"{str(run.paths.root / 'summary.json')!r} counts the reasons, {str(run.paths.rejects)!r} lists them"
        )


async def _distil(run: Running, cohorts: list[Cohort]) -> None:
    """From queries to dataset and packed rows; the teachers are closed when it returns."""
    recipe, paths, journal, telemetry = run.recipe, run.paths, run.journal, run.telemetry
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(
            stack.enter_async_context(
                open_teachers([teacher for cohort in cohorts for teacher in cohort.teachers], log_dir=paths.logs)
            ),
            name="open teachers",
        )
        try:
            evaluation = await asyncio.to_thread(load_evaluation, recipe.curate.against)
            curation = await stack.enter_async_context(
                Curation(
                    journal, run.inputs.queries, recipe.queries, recipe.curate, evaluation, paths.curation, telemetry
                )
            )
            check = None
            if recipe.curate.embeddings.enabled and any("embedding" in item.rules for item in evaluation):
                decontaminator = EmbeddingDecontaminator(evaluation, recipe.curate)
                check = await stack.enter_async_context(decontaminator)
            pool = await stack.enter_async_context(VerifierPool(recipe.verify))
        except BaseException:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            raise
        run.telemetry.waiting_for = "the teachers to start"
        teachers = await opening
        run.telemetry.waiting_for = ""
        async with asyncio.TaskGroup() as group:
            group.create_task(_fill(run, curation, pool), name="fill")
            for cohort in cohorts:
                await _stream(run, cohort, teachers, pool, check, curation)
                await finish_cohort(journal, cohort)
        await evaluate_teachers(recipe, paths, teachers, pool, telemetry)


async def _stream(
    run: Running,
    cohort: Cohort,
    teachers: dict[str, Teacher],
    pool: VerifierPool,
    check: EmbeddingDecontaminator | None,
    curation: Curation,
) -> None:
    """All queries through one cohort of teachers."""
    releaser = await _releaser(run, cohort, curation.num_queries)
    admitted: Channel[OpenQuery] = Channel("admitted", ADMITTED_BOUND)
    run.telemetry.watch(admitted)
    run.telemetry.count("queries", curation.num_queries)
    asker = Asker(
        teachers={teacher.name: teachers[teacher.name] for teacher in cohort.teachers},
        verify=pool.verify,
        journal=run.journal,
        settings=run.recipe.attempts,
        quality=run.recipe.quality,
        run_seed=run.recipe.run.seed,
        telemetry=run.telemetry,
        on_decided=releaser.decided,
        on_retry=releaser.needs,
    )
    await asyncio.to_thread(repetition, "ready", 1)  # compiled code is loaded before the first answer waits for it
    await asyncio.to_thread(load_libraries)
    with seldom_collected():
        async with asyncio.TaskGroup() as group:
            feeding = feed(
                journal=run.journal,
                check=check,
                teachers=cohort.teachers,
                releaser=releaser,
                queries=admitted,
                telemetry=run.telemetry,
                num_queries=curation.num_queries,
                reach=curation.reach,
                joined=cohort.number > 0,
            )
            group.create_task(feeding, name="feed")
            group.create_task(asker.run(admitted), name="ask")
            group.create_task(releaser.run(), name="release")


async def _fill(run: Running, curation: Curation, pool: VerifierPool) -> None:
    await curation.fill()
    await warn_without_sandbox(run.journal, pool)


async def _releaser(run: Running, cohort: Cohort, num_queries: int) -> Releaser:
    recipe, paths = run.recipe, run.paths
    packing = None
    if recipe.pack is not None and any(recipe.pack.takes(teacher.name) for teacher in cohort.teachers):
        rows = await run.journal.rows(LAST_PACKED_STATE)
        state = orjson.loads(rows[0][0]) if rows else None
        if state is not None and state.get("finished") and cohort.number > 0:
            raise ValueError(
                f"teachers: {cohort.teachers[0].name!r} joins a run whose packed rows are finished: name the earlier"
                " ones in pack.teachers, and pack the new samples with `reasonmill pack`"
            )
        packing = await asyncio.to_thread(_open_packing, paths.packed, recipe, state)
    return Releaser(
        journal=run.journal,
        packing=packing,
        dataset=paths.dataset,
        teachers=[teacher.name for teacher in cohort.teachers],
        eligible=partial(eligible, cohort.teachers),
        num_queries=num_queries,
        attempts=recipe.attempts,
        shard_queries=recipe.run.shard_queries,
        cohort=cohort,
        telemetry=run.telemetry,
    )


def _open_packing(folder: Path, recipe: Recipe, state: dict[str, Any] | None) -> PackingSink:
    from reasonmill.packing.chat import ChatEncoder  # only a recipe that packs needs tokenizers

    assert recipe.pack is not None, "packing is opened only for a recipe that packs"
    return PackingSink(folder, recipe.pack, ChatEncoder(recipe.pack.tokenizer, date=recipe.pack.date), state)


async def _tick(telemetry: Telemetry, show: Callable[[], None]) -> None:
    """Write telemetry and show progress until cancelled. Telemetry that cannot be written ends the run; a terminal that
    went away ends only the showing.
    """
    shown = True
    while True:
        telemetry.tick()
        if shown:
            try:
                show()
            except OSError:
                shown = False
        await asyncio.sleep(TICK_S)
