"""Records that cross the borders between stages. Immutable, and the same content has the same id on every machine."""

from dataclasses import dataclass, field
from typing import Any, Literal

import xxhash

from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.verdict import Verdict

CATEGORIES = ("math", "code", "science", "if", "multiturn", "other")  # arXiv 2505.14464 dataset card

Stage = Literal["read", "curate", "decontaminate", "attempt", "intersect", "quality", "pack"]


def content_id(*parts: str) -> str:
    """xxh3-128 of the parts as 32 hex digits; parts are length-prefixed, so ("a", "bc") differs from ("ab", "c")."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return str(xxhash.xxh3_128_hexdigest(b"".join([len(part).to_bytes(8, "little") + part for part in encoded])))


def attempt_seed(run_seed: int, query_id: str, teacher: str, number: int) -> int:
    """Seed of attempt `number` (from 1): 31 bits, a function of its arguments alone."""
    return int(content_id(str(run_seed), query_id, teacher, str(number))[:8], 16) & 0x7FFF_FFFF


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One turn of a conversation; role is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One question with what verifies its answers. `messages` ends with a user turn."""

    id: str
    messages: tuple[Message, ...]
    category: str
    source: str
    ground_truth: str | None = None
    test_case: dict[str, Any] | None = None
    instruction_constrain: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)  # label by name, as curation gave them

    @property
    def prompt(self) -> str:
        """Text of the last user turn."""
        return self.messages[-1].content

    @property
    def text(self) -> str:
        """All turns but system ones, as one text: what deduplication and decontamination compare."""
        return "\n".join(m.content for m in self.messages if m.role != "system")


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One answer of one teacher to one query. `number` counts from 1; durations in seconds."""

    query_id: str
    teacher: str
    number: int
    seed: int
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    duration_s: float
    replica: str = ""
    saved_tokens: int = 0

    def request(self, query: Query) -> VerifyRequest:
        """What the verifiers need to judge this attempt at `query`."""
        return VerifyRequest(
            id=f"{self.query_id}/{self.teacher}/{self.number}",
            category=query.category,
            prompt=query.prompt,
            response=self.text,
            ground_truth=query.ground_truth,
            test_case=query.test_case,
            instruction_constrain=query.instruction_constrain,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """An accepted attempt with its verdict, the parts of its text and its quality figures."""

    query: Query
    attempt: Attempt
    verdict: Verdict
    think: str
    answer: str
    quality: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """What left the run before its end: where, why, and the evidence. `teacher` is None for whole queries."""

    query_id: str
    stage: Stage
    reason: str
    teacher: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
