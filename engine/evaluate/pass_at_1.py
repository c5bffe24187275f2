"""pass@1 of one teacher on questions in memory, in one round."""

from collections.abc import Sequence

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.judging import Verifier
from reasonmill.engine.evaluate.prompts import PRESETS, Prompts
from reasonmill.engine.evaluate.result import EvaluationResult, summarise
from reasonmill.engine.evaluate.sampling import Plan, Sampling
from reasonmill.engine.records import Query
from reasonmill.engine.teachers.protocol import Teacher


async def pass_at_1(
    teacher: Teacher,
    questions: Sequence[Query],
    pool: Verifier,
    *,
    samples_per_question: int,
    seed: int,
    concurrency: int | None = None,
    prompts: Prompts = PRESETS["plain"],
    max_faults: int = 3,
) -> EvaluationResult:
    """Ask, judge and count. A question that the teacher refuses counts as wrong. Raises as `Sampling.run`."""
    benchmark = Benchmark(name="", questions=tuple(questions), samples_per_question=samples_per_question)
    plan = Plan(benchmark=benchmark, seed=seed, prompts=prompts, max_faults=max_faults, concurrency=concurrency)
    samples = await Sampling(teacher, pool, plan).run()
    return summarise(teacher.name, samples, samples_per_question)
