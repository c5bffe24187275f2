"""Evaluates model folders one after another in one engine's process, which imports once; 2 s to change a tiny model."""

import re
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from reasonmill.engine.evaluate.pass_at_1 import Verifier, pass_at_1
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.evaluate.result import EvaluationResult
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.records import Query
from reasonmill.engine.teachers.engine import Engine, check_model
from reasonmill.engine.teachers.open import open_engine
from reasonmill.engine.teachers.protocol import Teacher
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher, engine_spec


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A Hugging Face model folder under the name that results carry; its role is `student_after`, say."""

    name: str
    path: str
    role: str = "model"


async def evaluate_models(
    models: Sequence[Model],
    questions: Sequence[Query],
    pool: Verifier,
    settings: EvaluateSettings,
    *,
    log_dir: Path,
    seed: int = 0,
    engine: Engine | None = None,
    on_result: Callable[[Model, EvaluationResult], None] = lambda *_: None,
) -> list[EvaluationResult]:
    """The models' results in the order given, each told to `on_result` as it comes.

    `engine` is one that is open already (`open_engine`), which saves its start; it is left open.
    Raises as `open_teachers` and `pass_at_1` do.
    """
    for model in models:
        check_model(model.path)
    if not models:
        return []
    results = []
    async with nullcontext(engine) if engine else open_engine(_settings(models[0], settings), log_dir=log_dir) as held:
        for model in models:
            sampled = _settings(model, settings)
            await held.load(engine_spec(sampled, max_num_seqs=settings.max_num_seqs))
            result = await evaluate_teacher(VllmTeacher(sampled, held), questions, pool, settings, seed=seed)
            on_result(model, result)
            results.append(result)
    return results


async def evaluate_teacher(
    teacher: Teacher, questions: Sequence[Query], pool: Verifier, settings: EvaluateSettings, *, seed: int = 0
) -> EvaluationResult:
    """An open teacher's result, with the evaluation's sampling in place of its own. Raises as `pass_at_1` does."""
    if isinstance(teacher, VllmTeacher):
        teacher = teacher.sampled(
            temperature=settings.temperature, top_p=settings.top_p, max_tokens=settings.max_tokens
        )
    return await pass_at_1(
        teacher,
        questions,
        pool,
        samples_per_question=settings.samples_per_question,
        seed=seed,
        prompts=PRESETS[settings.prompts],
        max_faults=settings.max_faults,
    )


def _settings(model: Model, settings: EvaluateSettings) -> TeacherSettings:
    return TeacherSettings(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", model.name).lstrip("-._") or "model",
        model=model.path,
        temperature=settings.temperature,
        top_p=settings.top_p,
        max_tokens=settings.max_tokens,
        max_model_len=settings.max_model_len,
        max_num_seqs=settings.max_num_seqs,
        dtype=settings.dtype,
        tensor_parallel_size=settings.tensor_parallel_size,
        gpu_memory_utilization=settings.gpu_memory_utilization,
    )
