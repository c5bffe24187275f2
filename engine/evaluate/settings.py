"""Settings of the evaluation, checked once on construction."""

from dataclasses import dataclass

from reasonmill.engine.evaluate.prompts import PRESETS


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How models are compared (arXiv 2505.14464 section 3.2). Engine fields as in TeacherSettings."""

    questions: tuple[str, ...] = ()  # files of questions with answers or tests
    limit: int | None = None  # first so many questions; None: all
    samples_per_question: int = 4  # 64 for AIME, 16 for LiveCodeBench, 4 for MATH500
    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 49_152  # of one answer
    prompts: str = "plain"  # plain, nac, amt or lev: see prompts.py
    max_model_len: int | None = None  # tokens of prompt and answer together; None: the model's own
    max_num_seqs: int = 256  # requests open at once
    dtype: str = "auto"
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    max_faults: int = 3  # times that one sample is asked again after a fault of the engine

    def __post_init__(self) -> None:
        for name in ("samples_per_question", "max_tokens", "max_num_seqs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit: {self.limit} is not positive")
        if self.max_faults < 0:
            raise ValueError(f"max_faults: {self.max_faults} is negative")
        if self.prompts not in PRESETS:
            raise ValueError(f"prompts: {self.prompts!r} is none of {', '.join(PRESETS)}")
        # temperature, top_p and the engine's fields are checked by TeacherSettings, which they are copied into
