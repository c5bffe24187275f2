"""What a plan assumes where nothing was measured. Every figure can be set, for one teacher too: `--set mfu=0.4`,
`--set teachers.NAME.speed.short_tokens_per_s=150`, `--set gpus_of.NAME=1`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.simulation.settings import SimulationSettings

# Seconds of one check on one core; assumed, `--rates RUN` measures them.
VERIFY_S = {"math": 0.005, "science": 0.005, "other": 0.005, "if": 0.01, "multiturn": 0.5, "code": 1.0}


@dataclass(frozen=True, kw_only=True)
class PlanSettings:
    """Rates and machines. Teachers that the recipe simulates are taken as they are; `teacher` stands for the others."""

    gpus: int | None = None  # to split between teachers and trainer; None: as many as the recipe uses
    replica_gpus: int = 4  # of one replica of a teacher whose tensor_parallel_size is 1: the default speed is that of 4
    teacher: SimulationSettings = field(default_factory=SimulationSettings)
    teachers: dict[str, SimulationSettings] = field(default_factory=dict)  # by name, in place of `teacher`
    gpus_of: dict[str, int] = field(default_factory=dict)  # by name, of one replica; 0: others pay for it
    rehearse_queries: int = 4000  # a longer run is rehearsed with so many, and its bulk worked out from there
    curate_queries_per_s: float = 2000.0  # assumed
    curate_removed_share: float = 0.0  # of the queries; assumed
    verify_s: dict[str, float] = field(default_factory=lambda: dict(VERIFY_S))  # of one check, by category
    pack_tokens_per_s: float = 2e6  # assumed
    prompt_tokens: float = 310.0  # of a packed sample besides its answer (derived from arXiv 2505.14464 figure 6)
    student_parameters: float = 32.8e9  # where the recipe's model does not tell: Qwen2.5-32B
    gpu_flops: float = 989e12  # dense bf16 of an H100 SXM, by its data sheet
    mfu: float = 0.3  # of training; full SFT at 16k on H100: 0.24 to 0.28, pretraining at 8k 0.33 to 0.39
    train_tokens_per_s: float | None = None  # measured, of all ranks; in place of parameters, flops and mfu
    evaluate_tokens: float = 13_500.0  # mean answer (arXiv 2505.14464 table 2), cut by the recipe's max_tokens
    evaluate_questions: int = 30  # where the recipe's files are not there

    def __post_init__(self) -> None:
        for name in ("replica_gpus", "rehearse_queries", "evaluate_questions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name, number in self.gpus_of.items():
            if number < 0:
                raise ValueError(f"gpus_of.{name}: {number} is negative")
        if self.gpus is not None and self.gpus < 1:
            raise ValueError(f"gpus: {self.gpus} is not positive")
        for name in ("curate_queries_per_s", "pack_tokens_per_s", "student_parameters", "gpu_flops", "evaluate_tokens"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if not 0.0 <= self.curate_removed_share < 1.0:
            raise ValueError(f"curate_removed_share: {self.curate_removed_share} is outside [0, 1)")
        if not 0.0 < self.mfu <= 1.0:
            raise ValueError(f"mfu: {self.mfu} is outside (0, 1]")
        if self.train_tokens_per_s is not None and not self.train_tokens_per_s > 0.0:
            raise ValueError(f"train_tokens_per_s: {self.train_tokens_per_s} is not positive")
        if not self.prompt_tokens >= 0.0:
            raise ValueError(f"prompt_tokens: {self.prompt_tokens} is negative")
        for category, seconds in self.verify_s.items():
            if category not in CATEGORIES:
                raise ValueError(f"verify_s: {category!r} is none of {', '.join(CATEGORIES)}")
            if not seconds >= 0.0:
                raise ValueError(f"verify_s.{category}: {seconds} is negative")

    def check_names(self, known: Sequence[str]) -> None:
        """Raise ValueError where a teacher is spoken of that is not among the known."""
        for key in ("teachers", "gpus_of"):
            for name in getattr(self, key):
                if name not in known:
                    raise ValueError(f"{key}: {name!r} is none of the recipe's teachers {', '.join(known)}")

    def check_s(self, category: str) -> float:
        """Seconds of one check of this category."""
        return self.verify_s.get(category, VERIFY_S[category])
