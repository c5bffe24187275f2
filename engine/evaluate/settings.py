"""Settings of the evaluation, checked once on construction."""

import re
from dataclasses import dataclass, field

from reasonmill.engine.evaluate.prompts import PRESETS


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How models are compared (arXiv 2505.14464 section 3.2). Engine fields as in TeacherSettings."""

    questions: tuple[str, ...] = ()  # files of questions with answers or tests; FILE or NAME=FILE
    limit: int | None = None  # first so many questions of each file; None: all
    samples_per_question: int = 4  # 64 for AIME, 16 for LiveCodeBench, 4 for MATH500
    samples: dict[str, int] = field(default_factory=dict)  # the same for benchmarks whose name begins so: aime: 64
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 49_152  # of one answer
    prompts: str = "plain"  # plain, nac, amt, 1.4m or lev: see prompts.py
    rounds: int = 1  # more: asked again with the last answer (arXiv 2503.19855 section 2)
    break_loops: bool = False  # end an answer that repeats itself before max_tokens: cheaper, and its length is shorter
    base_url: str | tuple[str, ...] = ()  # OpenAI-compatible servers of the models, which are then names there
    api_key_env: str | None = None  # environment variable that holds the servers' key
    max_model_len: int | None = None  # tokens of prompt and answer together; None: the model's own
    max_num_seqs: int = 256  # requests open at once
    dtype: str = "auto"
    tensor_parallel_size: int = 1
    data_parallel_size: int = 1  # more than one: so many vLLM servers
    gpu_memory_utilization: float = 0.9
    max_faults: int = 3  # times that one sample is asked again after a fault of the engine

    def __post_init__(self) -> None:
        for name in ("samples_per_question", "max_tokens", "max_num_seqs", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name, number in self.samples.items():
            if number < 1:
                raise ValueError(f"samples: {number} of {name!r} is not positive")
            if not _plain(name):
                raise ValueError(f"samples: {name!r} holds no letter or digit")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: {self.limit} is not positive")
        if self.max_faults < 0:
            raise ValueError(f"max_faults: {self.max_faults} is negative")
        if self.prompts not in PRESETS:
            raise ValueError(f"prompts: {self.prompts!r} is none of {', '.join(PRESETS)}")
        # temperature, top_p and the engine's fields are checked by TeacherSettings, which they are copied into

    def samples_of(self, benchmark: str) -> int:
        """Samples of each question: those of the longest name in `samples` that the benchmark's begins with, letters
        and digits alone compared, so that `aime` holds for `AIME_2024`.
        """
        fitting = [name for name in self.samples if _plain(benchmark).startswith(_plain(name))]
        return self.samples[max(fitting, key=lambda name: len(_plain(name)))] if fitting else self.samples_per_question


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.rpartition("/")[2]).lower()
