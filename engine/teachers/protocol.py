"""What the engine asks of a teacher: one answer to one request, or a fault that says whether to ask again. A teacher
may be one engine or many replicas; who is asked next is the caller's affair, which replica answers is the teacher's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reasonmill.engine.records import Message

FINISH_REASONS = ("stop", "length", "abort", "repetition", "second_think", "language")


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One question to a teacher. The seed alone decides what is sampled; the other hints decide where and how soon."""

    query_id: str
    number: int
    seed: int
    messages: tuple[Message, ...]
    category: str = "other"
    max_tokens: int | None = None  # a cap below the teacher's own
    expected_tokens: float | None = None  # predicted length of the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One answer. `text` is the whole completion, a prefilled `<think>` included; `finish_reason` is one of
    FINISH_REASONS, whose last three were broken off while they streamed; duration in seconds from submission to last
    token.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    duration_s: float
    replica: str = ""  # which one answered
    saved_tokens: int = 0  # of a stream that was broken off: what it could still have cost


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
        """Requests that it can usefully hold open at once, now: it may grow and shrink while the run goes on."""
        ...

    def watch(self, grown: Callable[[], None]) -> None:
        """Call `grown` in the event loop whenever max_num_seqs has grown."""
        ...

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling the task aborts the request. Raises TeacherFault or RequestRefused."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicaLoad:
    """What a server tells of itself (vLLM's /metrics)."""

    running: int
    waiting: int
    kv_cache_usage: float  # share of its KV cache in use, 0 to 1


class Replica(Protocol):
    """One server, or one engine, among those that answer for a teacher."""

    @property
    def name(self) -> str:
        """Its address, for logs and figures."""
        ...

    @property
    def max_num_seqs(self) -> int:
        """The most requests that it is ever given at once."""
        ...

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling the task aborts the request. Raises TeacherFault or RequestRefused."""
        ...

    async def load(self) -> ReplicaLoad | None:
        """How full it is; None where it does not tell. Raises TeacherFault where it cannot be reached."""
        ...
