"""pass@1 inside a run: the teachers while their engine is still up, the student before and after when it is trained.
Each result is written as it comes, and a resumed run does not evaluate again what has one.
"""

import orjson

from reasonmill.engine.evaluate.files import write_evaluation
from reasonmill.engine.evaluate.models import Model, evaluate_models, evaluate_teacher
from reasonmill.engine.evaluate.questions import read_questions
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.teachers.protocol import Teacher
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

    def add(self, role: str, result: EvaluationResult) -> None:
        self._results.append((role, result))
        write_evaluation(self._path, self._results)


async def evaluate_teachers(
    recipe: Recipe, paths: RunDirectory, teachers: dict[str, Teacher], pool: VerifierPool, telemetry: Telemetry
) -> None:
    """Evaluate each vLLM teacher with the evaluation's sampling, so that teachers and student are comparable; servers
    and endpoints keep their own sampling and are left out.
    """
    if recipe.evaluate is None:
        return
    results, questions = _Results(paths), read_questions(recipe.evaluate.questions, limit=recipe.evaluate.limit)
    for settings in recipe.teachers:
        in_process = settings.kind == "vllm" and settings.data_parallel_size == 1
        if in_process and not results.has("teacher", settings.name):
            with telemetry.work("evaluate", settings.name):
                teacher = teachers[settings.name]
                result = await evaluate_teacher(teacher, questions, pool, recipe.evaluate, seed=recipe.run.seed)
            results.add("teacher", result)


async def evaluate_students(recipe: Recipe, paths: RunDirectory, telemetry: Telemetry) -> None:
    """Evaluate the student before and after training."""
    if recipe.evaluate is None or recipe.train is None:
        return
    results, questions = _Results(paths), read_questions(recipe.evaluate.questions, limit=recipe.evaluate.limit)
    known = (
        Model(name="student-before", path=str(paths.train / "initial"), role="student_before"),
        Model(name="student-after", path=str(paths.student), role="student_after"),
    )
    models = [model for model in known if not results.has(model.role, model.name)]
    if not models:
        return
    with telemetry.work("evaluate", "student"):
        async with VerifierPool(recipe.verify) as pool:
            await evaluate_models(
                models,
                questions,
                pool,
                recipe.evaluate,
                log_dir=paths.logs,
                seed=recipe.run.seed,
                on_result=lambda model, result: results.add(model.role, result),
            )
