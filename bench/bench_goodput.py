"""Accepted tokens per second of the retry scheduler, beside rounds with barriers, plain streaming, and the bound.

Simulated teachers in virtual time: 8 replicas with 32 requests each, the published lengths and pass rates, checks of
2 s on 16 workers, a real journal. All contestants get the same answer to attempt k of a query.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Query
from reasonmill.engine.simulation.bounds import Outcome, World, barrier_rounds, bound
from reasonmill.engine.simulation.questions import simulated_queries
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.verify.boxes import last_boxed
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict, scored

VERIFY_S, VERIFY_WORKERS = 2.0, 16
CATEGORIES = ("math", "science", "other")  # those whose simulated answers are judged by their box alone
PLAIN = AttemptSettings(order="arrival", drain=False, defer_after=99)
SIZES: dict[Scale, tuple[int, ...]] = {"ci": (500, 2_000), "node": (500, 2_000, 10_000, 40_000, 100_000)}
TARGETS = {2_000: 2.0, 10_000: 1.6, 100_000: 1.3}  # times the barrier's goodput


def measure(scale: Scale) -> Iterator[Figure]:
    """The curve over the number of queries."""
    for number in SIZES[scale]:
        yield from _at(number)


def _at(number: int) -> Iterator[Figure]:
    world = World(settings=SimulationSettings(replicas=8, seed=1), teacher="AM", run_seed=1)
    queries = list(simulated_queries(number, seed=0, categories=CATEGORIES))
    limit = bound(queries, world)
    rounds = barrier_rounds(queries, world, verify_s=VERIFY_S, verify_workers=VERIFY_WORKERS)
    plain = stream(queries, world, PLAIN)
    began = time.process_time()
    ours = stream(queries, world, AttemptSettings(max_attempts=world.max_attempts))
    cpu_s = time.process_time() - began
    least_s = max(limit.needed.seconds, limit.longest_answer_s)
    detail: dict[str, object] = {
        "queries": number,
        "accepted": ours.accepted,
        "hours": ours.seconds / 3600,
        "hours_barrier": rounds.seconds / 3600,
        "hours_plain": plain.seconds / 3600,
        "hours_bound": least_s / 3600,
        "attempts": ours.attempts,
        "attempts_needed": limit.needed.attempts,
        "generated_tokens": ours.generated_tokens,
        "needed_tokens": limit.needed.generated_tokens,
    }
    assert ours.accepted == rounds.accepted == plain.accepted, "the same answers were accepted by all"
    yield Figure(
        name=f"goodput_{number}", value=ours.goodput, unit="tokens/s", detail=detail | {"cpu_s_of_simulation": cpu_s}
    )
    yield Figure(
        name=f"over_barrier_{number}",
        value=ours.goodput / rounds.goodput,
        unit="x",
        target=TARGETS.get(number),
        gated=True,
    )
    yield Figure(
        name=f"over_plain_streaming_{number}",
        value=ours.goodput / plain.goodput,
        unit="x",
        target=1.15 if number == 2_000 else None,
        gated=True,
    )
    yield Figure(
        name=f"share_of_bound_{number}",
        value=least_s / ours.seconds,
        unit="of 1",
        target=0.95 if number >= 10_000 else None,
        gated=True,
    )


def stream(queries: Sequence[Query], world: World, settings: AttemptSettings) -> Outcome:
    """The asker over these queries, in virtual time."""
    with tempfile.TemporaryDirectory() as folder, closing(Telemetry(Path(folder))) as telemetry:
        return run_virtual(_stream(queries, world, settings, Path(folder), telemetry))


async def _stream(
    queries: Sequence[Query], world: World, settings: AttemptSettings, folder: Path, telemetry: Telemetry
) -> Outcome:
    loop = asyncio.get_running_loop()
    replicas = open_replicas(
        world.settings, teacher=world.teacher, max_num_seqs=world.max_num_seqs, max_tokens=world.max_tokens
    )
    workers = asyncio.Semaphore(VERIFY_WORKERS)

    async def verify(request: VerifyRequest) -> Verdict:
        async with workers:
            await asyncio.sleep(VERIFY_S)
        good = last_boxed(request.response) == request.ground_truth
        return scored(float(good), verifier="box", reason="ok" if good else "wrong_answer", duration_s=VERIFY_S)

    balance = BalanceSettings(initial_num_seqs=world.max_num_seqs, poll_s=30.0)
    async with (
        Journal(folder / "journal.sqlite") as journal,
        ReplicaSet(world.teacher, replicas, balance) as teacher,
    ):
        await journal.say(*[ledger.insert_query(ordinal, query) for ordinal, query in enumerate(queries)])
        admitted: Channel[OpenQuery] = Channel("admitted", 128)
        asker = Asker(
            teachers={world.teacher: teacher},
            verify=verify,
            journal=journal,
            settings=settings,
            quality=QualitySettings(),
            run_seed=world.run_seed,
            telemetry=telemetry,
            on_decided=lambda ordinal: None,
            on_retry=lambda ordinal, number: None,
        )

        async def feed() -> None:
            with admitted.writer():
                for ordinal, query in enumerate(queries):
                    await admitted.put(OpenQuery(ordinal=ordinal, query=query, teachers=(world.teacher,)))

        began = loop.time()
        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            group.create_task(asker.run(admitted))
        seconds = loop.time() - began
    return Outcome(
        seconds=seconds,
        queries=len(queries),
        accepted=telemetry.counters["accepted"],
        accepted_tokens=telemetry.counters["accepted_tokens"],
        generated_tokens=round(sum(replica.batch.generated for replica in replicas)),
        attempts=telemetry.counters["attempts"],
    )
