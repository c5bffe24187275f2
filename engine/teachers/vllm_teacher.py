"""A teacher that an engine answers for: renders nothing and samples nothing itself, it names who asks and how."""

import time
from collections.abc import Callable

from reasonmill.engine.teachers.engine import Engine
from reasonmill.engine.teachers.prompts import with_system_prompt
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.teachers.wire import EngineSpec, Sampling


class VllmTeacher:
    """One teacher's sampling over an engine that others may share."""

    def __init__(self, settings: TeacherSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    @property
    def name(self) -> str:
        """Name of the teacher in records and file names."""
        return self._settings.name

    @property
    def max_num_seqs(self) -> int:
        """Requests that it can usefully hold open at once."""
        return self._settings.max_num_seqs

    def asked_as(self, settings: TeacherSettings) -> "VllmTeacher":
        """Another teacher over the same engine, which asks as `settings` say; these change nothing of the engine."""
        return VllmTeacher(settings, self._engine)

    def watch(self, grown: Callable[[], None]) -> None:
        """Its room never changes."""

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling the task aborts the request. Raises TeacherFault or RequestRefused."""
        began = time.monotonic()
        turns = tuple((turn.role, _carriable(turn.content)) for turn in request.messages)
        answer = await self._engine.ask(
            with_system_prompt(turns, self._settings.system_prompt),
            self._settings.generation_prompt,
            self._sampling(request),
        )
        return Generation(
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            duration_s=time.monotonic() - began,
            saved_tokens=answer.saved_tokens,
        )

    def _sampling(self, request: GenerationRequest) -> Sampling:
        settings = self._settings
        return Sampling(
            seed=request.seed,
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            max_tokens=min(settings.max_tokens, request.max_tokens or settings.max_tokens),
            loop_breaker=settings.loop_breaker,
        )


def engine_spec(settings: TeacherSettings, *, max_num_seqs: int) -> EngineSpec:
    """The engine that a vLLM teacher needs, with room for `max_num_seqs` open requests."""
    assert settings.model is not None, "a vllm teacher without a model passed its settings' check"
    return EngineSpec(
        model=settings.model,
        dtype=settings.dtype,
        max_model_len=settings.max_model_len,
        max_num_seqs=max_num_seqs,
        tensor_parallel_size=settings.tensor_parallel_size,
        gpu_memory_utilization=settings.gpu_memory_utilization,
        kv_cache_mib=settings.kv_cache_mib,
    )


def _carriable(text: str) -> str:
    """The text as UTF-8 can carry it: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
