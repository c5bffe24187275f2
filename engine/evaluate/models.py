"""What is evaluated, and with which sampling: model folders, models behind servers, teachers of a recipe."""

import re
from dataclasses import dataclass, replace

from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings
from reasonmill.engine.teachers.settings import TeacherSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What answers, under the name that results carry; its role is `student_after`, say."""

    name: str
    teacher: TeacherSettings
    role: str = "model"


def folder_model(name: str, path: str, settings: EvaluateSettings, *, role: str = "model") -> Model:
    """A Hugging Face model folder. Raises ValueError naming a sampling value that is out of range."""
    teacher = TeacherSettings(
        name=_slug(name),
        model=path,
        max_model_len=settings.max_model_len,
        max_num_seqs=settings.max_num_seqs,
        dtype=settings.dtype,
        tensor_parallel_size=settings.tensor_parallel_size,
        data_parallel_size=settings.data_parallel_size,
        gpu_memory_utilization=settings.gpu_memory_utilization,
    )
    return Model(name=name, teacher=as_evaluated(teacher, settings), role=role)


def served_model(name: str | None, settings: EvaluateSettings) -> Model:
    """A model behind the servers of the settings, by its name there; None: the first that they serve. Raises as
    `folder_model`.
    """
    urls = (settings.base_url,) if isinstance(settings.base_url, str) else settings.base_url
    known = name or urls[0].partition("://")[2]
    teacher = TeacherSettings(
        name=_slug(known),
        kind="endpoint",
        model=name,
        base_url=urls,
        api_key_env=settings.api_key_env,
        max_num_seqs=settings.max_num_seqs,
    )
    return Model(name=known, teacher=as_evaluated(teacher, settings))


def as_evaluated(teacher: TeacherSettings, settings: EvaluateSettings) -> TeacherSettings:
    """A teacher with the evaluation's sampling in place of its own, so that all models are asked alike."""
    return replace(
        teacher,
        temperature=settings.temperature,
        top_p=settings.top_p,
        top_k=0,
        max_tokens=settings.max_tokens,
        loop_breaker=LoopBreakerSettings(enabled=settings.break_loops),
    )


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("-._") or "model"
