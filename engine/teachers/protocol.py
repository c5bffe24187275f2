"""What the engine asks of a teacher: one answer to one request, or a fault that says whether to ask again."""

from dataclasses import dataclass
from typing import Protocol

from reasonmill.engine.records import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One question to a teacher. The seed alone decides what is sampled."""

    query_id: str
    number: int
    seed: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One answer. `text` is the whole completion, a prefilled `<think>` included; finish_reason is
    `stop`, `length` or `abort`; duration in seconds from submission to last token.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    duration_s: float


class TeacherFault(Exception):
    """The teacher failed, not the question: the request was not answered and costs no attempt. Ask again."""


class RequestRefused(Exception):
    """The teacher will never answer this request (longer than its context, say). The message says why."""


class Teacher(Protocol):
    """Answers requests concurrently; the number of open requests is the caller's affair."""

    @property
    def name(self) -> str:
        """Name of the teacher in records and file names."""
        ...

    @property
    def max_num_seqs(self) -> int:
        """Requests that it can usefully hold open at once."""
        ...

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling the task aborts the request. Raises TeacherFault or RequestRefused."""
        ...
