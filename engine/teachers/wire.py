"""What the coordinator and an engine's process say to each other: one JSON object a line, each a frozen record.

The coordinator sends Load, Ask and Abort and ends by closing; the process sends Started once, Loaded or Failed for each
Load, exactly one Answer or Refused for each Ask that was not aborted, and a Beat every second while it works.
"""

from dataclasses import dataclass, field

import orjson

from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings

MAX_LINE_BYTES = 64 * 2**20  # of one message: an answer of 10 M tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSpec:
    """A model and how to hold it; equal specs can share an engine. Fields as in TeacherSettings."""

    model: str
    dtype: str
    max_model_len: int | None
    max_num_seqs: int
    tensor_parallel_size: int
    gpu_memory_utilization: float
    kv_cache_mib: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How one answer is sampled. Fields as in TeacherSettings; the seed alone decides what is drawn."""

    seed: int
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    loop_breaker: LoopBreakerSettings = field(default_factory=LoopBreakerSettings)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Hold this model from now on, in place of any other."""

    spec: EngineSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Answer this conversation, turns as (role, content); `generation_prompt` as in TeacherSettings."""

    id: int
    turns: tuple[tuple[str, str], ...]
    generation_prompt: str
    sampling: Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Abort:
    """Forget an Ask; no answer is awaited. Unknown ids are ignored."""

    id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The process has imported what it needs."""

    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The model answers."""

    device: str
    max_model_len: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The model could not be loaded; the process ends."""

    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one Ask; finish_reason and saved_tokens as in Generation."""

    id: int
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    saved_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The question itself cannot be answered, now or later."""

    id: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """A sign of life; the number of steps since the process started."""

    steps: int


Message = Load | Ask | Abort | Started | Loaded | Failed | Answer | Refused | Beat

_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (Load, Ask, Abort, Started, Loaded, Failed, Answer, Refused, Beat)
}


def encode(message: Message) -> bytes:
    """The message as one line. Raises TypeError for text that UTF-8 cannot carry."""
    return orjson.dumps((type(message).__name__, message), option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> Message:
    """The message of a line that `encode` made."""
    kind, fields = orjson.loads(line)
    if kind == "Load":
        return Load(spec=EngineSpec(**fields["spec"]))
    if kind == "Ask":
        sampling = fields["sampling"]
        sampling["loop_breaker"] = LoopBreakerSettings(**sampling["loop_breaker"])
        fields["sampling"] = Sampling(**sampling)
        fields["turns"] = tuple((role, content) for role, content in fields["turns"])
    return _KINDS[kind](**fields)  # type: ignore[no-any-return]
