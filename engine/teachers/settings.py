"""Settings of a teacher, checked once on construction. Names are vLLM's where vLLM has one."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """One teacher. Teachers with the same model and engine settings share one engine.

    Sampling in distillation is not published (arXiv 2505.14464 section 2.2 names only "until verified");
    the defaults are the evaluation's of section 3.2.
    """

    name: str  # in records, file names and reports
    kind: Literal["vllm", "endpoint", "scripted", "simulated"] = "vllm"
    model: str | None = (
        None  # vllm: Hugging Face model folder, or a hub name where HF_HUB_OFFLINE is set; endpoint: its
    )
    # name there, None: the first that it serves
    base_url: str | tuple[str, ...] | None = None  # endpoint: http://host:8000/v1, one or several OpenAI servers
    api_key_env: str | None = None  # endpoint: environment variable that holds the key
    categories: tuple[str, ...] = ()  # of queries that it answers; empty: all
    system_prompt: str | None = None  # for conversations that bring none
    generation_prompt: str = ""  # text put after the chat template's own, "<think>\n" say; part of the answer
    temperature: float = 0.6  # 0: greedy
    top_p: float = 0.95
    top_k: int = 0  # 0: off
    max_tokens: int = 32_768  # of one answer; the context's end cuts earlier
    dtype: str = "auto"  # auto: as the checkpoint; bfloat16, float16, float32
    max_model_len: int | None = None  # tokens of prompt and answer together; None: the model's own
    # requests open at once, on each engine or server; CPU, 0.8 M parameters: 64 → 8k tok/s, 256 → 11k
    max_num_seqs: int = 128
    tensor_parallel_size: int = 1  # GPUs of one engine
    data_parallel_size: int = 1  # vllm: more than one: so many servers (vllm serve), started, watched and restarted
    gpu_memory_utilization: float = 0.9  # share of a GPU's memory
    kv_cache_mib: int | None = None  # None: on a CPU what max_num_seqs full contexts need, on GPUs what is left
    cpu_threads: int | None = None  # of the engine on a CPU; None: half of the cores
    start_limit_s: float = 1800.0  # for loading the model
    stall_limit_s: float = (
        600.0  # without a step, or a piece of a stream, while requests are open: the engine is killed, the stream
    )
    # given up
    max_restarts: int = 5  # of an engine that died, within one hour
    request_limit_s: float = 7200.0  # endpoint and servers: for one answer
    outage_limit_s: float = 3600.0  # endpoint and servers: without any of them, after which the run stops
    loop_breaker: LoopBreakerSettings = field(default_factory=LoopBreakerSettings)
    script: str | None = None  # scripted: JSONL of answers by query, or arithmetic:P
    simulation: SimulationSettings = field(default_factory=SimulationSettings)  # simulated: a model of a teacher

    def __post_init__(self) -> None:
        if not _FILE_NAME.fullmatch(self.name):
            raise ValueError(f"name: {self.name!r} is not made of letters, digits, dot, dash and underscore")
        if self.kind not in ("vllm", "endpoint", "scripted", "simulated"):
            raise ValueError(f"kind: {self.kind!r} is none of vllm, endpoint, scripted, simulated")
        if self.kind == "vllm" and not self.model:
            raise ValueError(f"model: the vllm teacher {self.name!r} needs one")
        if self.kind == "scripted" and not self.script:
            raise ValueError(f"script: the scripted teacher {self.name!r} needs one")
        for category in self.categories:
            if category not in CATEGORIES:
                raise ValueError(f"categories: {category!r} is none of {', '.join(CATEGORIES)}")
        self._check_sampling()
        self._check_engine()
        self._check_endpoint()

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Addresses of an endpoint's servers."""
        if isinstance(self.base_url, str):
            return (self.base_url,)
        return self.base_url or ()

    def _check_endpoint(self) -> None:
        urls = self.base_urls
        if self.kind != "endpoint":
            for name in ("base_url", "api_key_env"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name}: {getattr(self, name)!r} is for teachers of kind endpoint, not {self.kind}"
                    )
            return
        if not urls:
            raise ValueError(f"base_url: the endpoint teacher {self.name!r} needs one, http://host:8000/v1 say")
        for url in urls:
            try:
                parts = urlsplit(url)
                known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
            except ValueError:
                known = False
            if not known:
                raise ValueError(f"base_url: {url!r} is no address of the form http://host:port/v1")
            if parts.query or parts.fragment or parts.path.rstrip("/").endswith("/chat/completions"):
                raise ValueError(f"base_url: {url!r} is to end where /chat/completions begins, http://host:8000/v1 say")
        if len(set(urls)) < len(urls):
            raise ValueError(f"base_url: an address stands twice in {', '.join(urls)}")
        if self.data_parallel_size != 1:
            raise ValueError(f"data_parallel_size: {self.data_parallel_size} is the servers' own affair at an endpoint")

    def _check_sampling(self) -> None:
        if not 0.0 <= self.temperature <= 2.0:
            raise ValueError(f"temperature: {self.temperature} is outside [0, 2]")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p: {self.top_p} is outside (0, 1]")
        if self.top_k < 0:
            raise ValueError(f"top_k: {self.top_k} is negative")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens: {self.max_tokens} is not positive")

    def _check_engine(self) -> None:
        if self.dtype not in ("auto", "bfloat16", "float16", "float32"):
            raise ValueError(f"dtype: {self.dtype!r} is none of auto, bfloat16, float16, float32")
        for name in (
            *("max_model_len", "max_num_seqs", "tensor_parallel_size", "data_parallel_size"),
            *("kv_cache_mib", "cpu_threads"),
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is not positive")
        if not 0.0 < self.gpu_memory_utilization <= 1.0:
            raise ValueError(f"gpu_memory_utilization: {self.gpu_memory_utilization} is outside (0, 1]")
        for name in ("start_limit_s", "stall_limit_s", "request_limit_s", "outage_limit_s"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts: {self.max_restarts} is negative")
