"""What the engine itself costs for each attempt, journal included: CPU time, memory, and how both grow.

A teacher that answers after a while and costs nothing, checks that cost nothing, virtual time: what is left is the
asker, the journal, the telemetry, and the quality checks of accepted answers.
"""

import asyncio
import gc
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.distill.asker import Asker
from reasonmill.engine.distill.open_queries import OpenQuery
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.flow.channel import Channel
from reasonmill.engine.flow.cohorts import Cohort
from reasonmill.engine.flow.collector import seldom_collected
from reasonmill.engine.flow.feeder import feed
from reasonmill.engine.flow.release import Releaser
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.quality.repetition import repetition
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Message, Query
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.store.shards import load_libraries
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict, scored

SHORT, PUBLISHED = "It follows. ", 16_000  # characters: 3,757 tokens are about as many as PUBLISHED
_PASS_IN_TEN = 6
_QUERY_CHARS = 865  # mean of the published queries


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One measurement."""

    queries: int
    teachers: int = 1
    in_flight: int = 1_000
    answer_chars: int = len(SHORT)


def measure(scale: Scale) -> Iterator[Figure]:
    """Each shape in a process of its own, so that memory is its own too."""
    shapes = [Shape(queries=2_000), Shape(queries=20_000), Shape(queries=20_000, in_flight=10_000)]
    shapes.append(Shape(queries=5_000, answer_chars=PUBLISHED))
    if scale == "node":
        shapes += [Shape(queries=100_000, in_flight=10_000), Shape(queries=1_000_000, in_flight=10_000)]
        shapes.append(Shape(queries=2_000_000, teachers=3, in_flight=3_334))
    for shape in shapes:
        found = _in_own_process(shape)
        name = f"{shape.queries}_queries_{shape.teachers * shape.in_flight}_in_flight"
        if shape.answer_chars > len(SHORT):
            name += f"_{shape.answer_chars}_chars"
        short = shape.answer_chars == len(SHORT)
        yield Figure(
            name=f"cpu_us_per_attempt_{name}",
            value=found["cpu_us"],
            unit="us",
            better="lower",
            target=150.0 if short else None,
            detail={**found},
        )
        target = 2_048.0 if shape.queries == 2_000_000 else None
        yield Figure(
            name=f"resident_mib_{name}", value=found["resident_mib"], unit="MiB", better="lower", target=target
        )


def _in_own_process(shape: Shape) -> dict[str, float]:
    command = [
        *(sys.executable, "-m", "reasonmill.bench.bench_asking", str(shape.queries), str(shape.teachers)),
        *(str(shape.in_flight), str(shape.answer_chars)),
    ]
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = orjson.loads(done.stdout)
    return found


def main() -> None:
    """Measure one shape and print it as JSON."""
    queries, teachers, in_flight, answer_chars = (int(text) for text in sys.argv[1:])
    shape = Shape(queries=queries, teachers=teachers, in_flight=in_flight, answer_chars=answer_chars)
    with tempfile.TemporaryDirectory() as folder:
        print(orjson.dumps(run_virtual(_run(shape, Path(folder)))).decode())


class _Free:
    """A teacher that costs next to nothing; six of ten answers are right."""

    max_num_seqs = 0

    def __init__(self, name: str, in_flight: int, answer: Callable[[int], str]) -> None:
        self.name = name
        self.max_num_seqs = in_flight
        self._answer = answer
        self._due: dict[int, list[asyncio.Future[None]]] = {}  # a timer for each second, not for each answer
        self.asked = 0

    def watch(self, grown: Callable[[], None]) -> None:
        """Its room never changes."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer after 60 to 180 s."""
        self.asked += 1
        await self._wait(60 + request.seed % 120)
        return Generation(
            text=self._answer(request.seed),
            finish_reason="stop",
            prompt_tokens=200,
            completion_tokens=3757,
            duration_s=1.0,
        )

    async def _wait(self, seconds: int) -> None:
        loop = asyncio.get_running_loop()
        due_s = math.ceil(loop.time()) + seconds
        if due_s not in self._due:
            self._due[due_s] = []
            loop.call_at(due_s, self._end, due_s)
        ended = loop.create_future()
        self._due[due_s].append(ended)
        await ended

    def _end(self, due_s: int) -> None:
        for ended in self._due.pop(due_s):
            if not ended.done():
                ended.set_result(None)


def _answers(chars: int) -> Callable[[int], str]:
    rng = random.Random(1)
    words = " ".join(rng.choice(("so", "the", "sum", "is", "prime", "hence", "x", "12")) for _ in range(chars // 4))
    body = (SHORT if chars <= len(SHORT) else words)[:chars]
    right, wrong = (f"<think>{body}</think><answer>{word}</answer>" for word in ("right", "wrong"))
    return lambda seed: right if seed % 10 < _PASS_IN_TEN else wrong


async def _run(shape: Shape, folder: Path) -> dict[str, float]:
    names = [f"t{number}" for number in range(shape.teachers)]
    answer = _answers(shape.answer_chars)
    settings = AttemptSettings()
    with closing(Telemetry(folder)) as telemetry:
        async with Journal(folder / "journal.sqlite") as journal:
            await _fill(journal, shape.queries)
            releaser = Releaser(
                journal=journal,
                packing=None,
                dataset=folder / "dataset",
                teachers=names,
                eligible=lambda query: tuple(names),
                num_queries=shape.queries,
                attempts=settings,
                shard_queries=4096,
                cohort=Cohort(number=0, teachers=(), last=True),
                telemetry=telemetry,
            )
            teachers = {name: _Free(name, shape.in_flight, answer) for name in names}
            asker = Asker(
                teachers=teachers,
                verify=_verify,
                journal=journal,
                settings=settings,
                quality=QualitySettings(),
                run_seed=1,
                telemetry=telemetry,
                on_decided=releaser.decided,
                on_retry=releaser.needs,
            )
            admitted: Channel[OpenQuery] = Channel("admitted", 128)
            feeding = feed(
                journal=journal,
                check=None,
                teachers=[TeacherSettings(name=name, kind="scripted", script="arithmetic:1") for name in names],
                releaser=releaser,
                queries=admitted,
                telemetry=telemetry,
                num_queries=shape.queries,
                reach=_all_there,
            )
            repetition("ready", 1)  # compiled code is loaded before the first answer, as in a run
            load_libraries()
            gc.collect()
            before_mib, began, wall = _resident_mib(), os.times(), time.perf_counter()
            with seldom_collected():
                async with asyncio.TaskGroup() as group:
                    group.create_task(feeding)
                    group.create_task(asker.run(admitted))
                    group.create_task(releaser.run())
            await journal.flush()
            ended, wall_s = os.times(), time.perf_counter() - wall
        attempts = sum(teacher.asked for teacher in teachers.values())
        answers = telemetry.counters["attempts"]
    return {
        "attempts": attempts,  # those that the drain asks at once and takes back are attempts too
        "answers": answers,
        "cpu_us": 1e6 * (ended.user - began.user + ended.system - began.system) / attempts,
        "user_us": 1e6 * (ended.user - began.user) / attempts,
        "wall_us": 1e6 * wall_s / attempts,
        "resident_mib": _peak_mib(),
        "resident_before_mib": before_mib,
    }


async def _fill(journal: Journal, number: int) -> None:
    padding = "Let a, b and c be positive integers. " * (_QUERY_CHARS // 37)
    for ordinal in range(number):
        content = f"{padding} What is {ordinal}?"
        query = Query(
            id=f"q{ordinal:08d}", messages=(Message(role="user", content=content),), category="math", source="b"
        )
        await journal.say(ledger.insert_query(ordinal, query))
    await journal.flush()


async def _all_there(ordinal: int) -> None:
    """The journal holds every query from the beginning."""


async def _verify(request: VerifyRequest) -> Verdict:
    good = request.response.endswith("right</answer>")
    return scored(float(good), verifier="free", reason="ok" if good else "wrong_answer")


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mib() -> float:
    line = next(text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
