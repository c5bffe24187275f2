"""Models times benchmarks. Model folders are loaded one after another into one engine's process, which imports once
(2 s to change a tiny model); nothing is loaded for a model whose answers are all on disk.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from reasonmill.engine.evaluate.answers import AnswerFile
from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.identity import asked_of
from reasonmill.engine.evaluate.judging import Verifier
from reasonmill.engine.evaluate.models import Model
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.evaluate.result import EvaluationResult, Judged, summarise
from reasonmill.engine.evaluate.sampling import Plan, Sampling
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.evaluate.trajectories import Trajectory, trajectories
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.teachers.engine import Engine, check_model
from reasonmill.engine.teachers.open import open_engine, open_teachers
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher, engine_spec

PROGRESS_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What one model got on one benchmark: a result for each round, and what each further round changed."""

    model: Model
    results: tuple[EvaluationResult, ...]
    changes: tuple[Trajectory, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """What all models share. `answers_dir`: where answers are kept, None: nowhere; `fresh`: those there do not count.

    `check` names how answers are judged (see sampling.py). `engine` is one that is open already, which saves its start;
    it is left open.
    """

    pool: Verifier
    settings: EvaluateSettings
    log_dir: Path
    seed: int = 0
    check: str = ""
    answers_dir: Path | None = None
    fresh: bool = False
    engine: Engine | None = None

    async def run(
        self,
        models: Sequence[Model],
        benchmarks: Sequence[Benchmark],
        on_scored: Callable[[Scored], None] = lambda scored: None,
    ) -> list[Scored]:
        """Every model on every benchmark in the order given, each told to `on_scored` as it comes.

        Raises as `open_teachers` and `Sampling.run`, before anything starts for a folder that is no model.
        """
        for model in models:
            if model.teacher.kind == "vllm":
                check_model(str(model.teacher.model))
        found: list[Scored] = []

        def keep(scored: Scored) -> None:
            found.append(scored)
            on_scored(scored)

        async with AsyncExitStack() as stack:
            engines = _Engines(stack, self.engine, self.log_dir)
            for model in models:
                await self._evaluate(model, benchmarks, engines, keep)
        return found

    async def score_open(self, teacher: Teacher, model: Model, benchmark: Benchmark) -> Scored:
        """One benchmark put to a teacher that is open, and sampled as `model` says."""
        with self._kept(model) or nullcontext() as answers:
            return await self.score(teacher, model, benchmark, answers)

    async def score(
        self, teacher: Teacher | None, model: Model, benchmark: Benchmark, answers: AnswerFile | None
    ) -> Scored:
        """One benchmark put to an open teacher; None where all is on disk."""
        sampling = Sampling(teacher, self.pool, self._plan(benchmark), answers=answers)
        telling = asyncio.create_task(_tell(sampling, f"{model.name} on {benchmark.name}"))
        try:
            samples = await sampling.run()
        finally:
            telling.cancel()
        if sampling.refusals:
            first = sampling.refusals[0]
            _say(f"{model.name} on {benchmark.name}: {len(sampling.refusals)} questions were refused: {first}")
        return _scored(model, benchmark, samples, self.settings.rounds)

    async def _evaluate(
        self, model: Model, benchmarks: Sequence[Benchmark], engines: "_Engines", keep: Callable[[Scored], None]
    ) -> None:
        kept = self._kept(model)
        with kept or nullcontext():
            missing = kept is None or not all(
                Sampling(None, self.pool, self._plan(benchmark), answers=kept).complete() for benchmark in benchmarks
            )
            async with self._opened(model, engines) if missing else nullcontext() as teacher:
                for benchmark in benchmarks:
                    scored = await self.score(teacher, model, benchmark, kept)
                    first = scored.results[0]
                    if first.num_refused == first.num_questions * first.samples_per_question:
                        raise RunFailed(
                            f"{model.name} on {benchmark.name}: every question was refused: that is no score"
                        )
                    keep(scored)

    def _kept(self, model: Model) -> AnswerFile | None:
        if self.answers_dir is None:
            return None
        asked = asked_of(model.teacher, seed=self.seed)
        return AnswerFile(self.answers_dir, asked, name=model.name, fresh=self.fresh)

    def _plan(self, benchmark: Benchmark) -> Plan:
        return Plan(
            benchmark=benchmark,
            seed=self.seed,
            prompts=PRESETS[self.settings.prompts],
            rounds=self.settings.rounds,
            max_faults=self.settings.max_faults,
            check=self.check,
        )

    @asynccontextmanager
    async def _opened(self, model: Model, engines: "_Engines") -> AsyncIterator[Teacher]:
        settings = model.teacher
        if settings.kind == "vllm" and settings.data_parallel_size == 1:
            engine = await engines.holding(settings)
            yield VllmTeacher(settings, engine)
            return
        async with open_teachers([settings], log_dir=self.log_dir) as teachers:
            yield teachers[settings.name]


class _Engines:
    """The engine of all models that can share one."""

    def __init__(self, stack: AsyncExitStack, engine: Engine | None, log_dir: Path) -> None:
        self._stack = stack
        self._engine = engine
        self._log_dir = log_dir

    async def holding(self, settings: TeacherSettings) -> Engine:
        """The engine with this model loaded."""
        if self._engine is None:
            self._engine = await self._stack.enter_async_context(open_engine(settings, log_dir=self._log_dir))
        await self._engine.load(engine_spec(settings, max_num_seqs=settings.max_num_seqs))
        return self._engine


def _scored(model: Model, benchmark: Benchmark, samples: Sequence[Judged], rounds: int) -> Scored:
    results = tuple(
        summarise(
            model.name,
            [sample for sample in samples if sample.round == number],
            benchmark.samples_per_question,
            benchmark=benchmark.name,
            round_number=number,
        )
        for number in range(1, rounds + 1)
    )
    return Scored(model=model, results=results, changes=tuple(trajectories(model.name, benchmark.name, samples)))


async def _tell(sampling: Sampling, name: str) -> None:
    """Say how far it is, every PROGRESS_S."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_S)
        rate = sampling.generated_tokens / (time.monotonic() - began)
        right = [sample.right for sample in sampling.samples if sample.right is not None]
        share = f"{100 * sum(right) / len(right):.1f} % right so far, " if right else ""
        _say(f"{name}: {len(sampling.samples):,} of {sampling.num_samples:,} answers, {share}{rate:,.0f} tokens/s")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
