"""pass@1 inside a run: the teachers while their engine is still up, the student before and after when it is trained.
Each result is written as it comes; a resumed run does not evaluate again what has one, nor ask again what is answered.
"""

import orjson

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.evaluation import Evaluator, Scored
from reasonmill.engine.evaluate.files import check_name, write_evaluation
from reasonmill.engine.evaluate.models import Model, as_evaluated, folder_model
from reasonmill.engine.evaluate.questions import read_questions
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher
from reasonmill.verify.pool import VerifierPool


class _Results:
    """evaluation.json of a run."""

    def __init__(self, paths: RunDirectory) -> None:
        self._path = paths.root / "evaluation.json"
        self._results: list[tuple[str, EvaluationResult]] = []
        if self._path.exists():
            for row in orjson.loads(self._path.read_bytes())["results"]:
                role = row.pop("role")
                self._results.append((role, EvaluationResult(**row)))

    def has(self, role: str, name: str) -> bool:
        return any(known == role and result.name == name for known, result in self._results)

    def add(self, scored: Scored) -> None:
        self._results += [(scored.model.role, result) for result in scored.results]
        write_evaluation(self._path, self._results)


async def evaluate_teachers(
    recipe: Recipe, paths: RunDirectory, teachers: dict[str, Teacher], pool: VerifierPool, telemetry: Telemetry
) -> None:
    """Evaluate each vLLM teacher with the evaluation's sampling, so that teachers and student are comparable; servers
    and endpoints keep their own sampling and are left out.
    """
    if recipe.evaluate is None:
        return
    results, benchmark = _Results(paths), _benchmark(recipe.evaluate)
    for settings in recipe.teachers:
        in_process = settings.kind == "vllm" and settings.data_parallel_size == 1
        if in_process and not results.has("teacher", settings.name):
            teacher = teachers[settings.name]
            assert isinstance(teacher, VllmTeacher), "a teacher in this process tree is vLLM's"
            model = Model(name=settings.name, teacher=as_evaluated(settings, recipe.evaluate), role="teacher")
            with telemetry.work("evaluate", settings.name):
                scored = await _evaluator(recipe, paths, pool).score_open(
                    teacher.asked_as(model.teacher), model, benchmark
                )
            results.add(scored)


async def evaluate_students(recipe: Recipe, paths: RunDirectory, telemetry: Telemetry) -> None:
    """Evaluate the student before and after training."""
    if recipe.evaluate is None or recipe.train is None:
        return
    results, benchmark = _Results(paths), _benchmark(recipe.evaluate)
    known = (
        folder_model("student-before", str(paths.train / "initial"), recipe.evaluate, role="student_before"),
        folder_model("student-after", str(paths.student), recipe.evaluate, role="student_after"),
    )
    models = [model for model in known if not results.has(model.role, model.name)]
    if not models:
        return
    with telemetry.work("evaluate", "student"):
        async with VerifierPool(recipe.verify) as pool:
            await _evaluator(recipe, paths, pool).run(models, [benchmark], results.add)


def _benchmark(settings: EvaluateSettings) -> Benchmark:
    """All files of the section as one benchmark."""
    questions = tuple(read_questions(settings.questions, limit=settings.limit))
    return Benchmark(name="questions", questions=questions, samples_per_question=settings.samples_of("questions"))


def _evaluator(recipe: Recipe, paths: RunDirectory, pool: VerifierPool) -> Evaluator:
    assert recipe.evaluate is not None, "without a section evaluate there is nothing to do"
    return Evaluator(
        pool=pool,
        settings=recipe.evaluate,
        log_dir=paths.logs,
        seed=recipe.run.seed,
        check=check_name(recipe.verify),
        answers_dir=paths.root / "evaluation.answers",
    )
