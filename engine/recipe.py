"""A recipe: all that decides what a run makes. It checks itself once, here; code behind it does not check again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.recipe_loader import apply_overrides, build, read_yaml
from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.store.settings import CardSettings
from reasonmill.engine.teachers.settings import TeacherSettings
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.settings import PackSettings
from reasonmill.verify.settings import VerifySettings

MAX_NAME_BYTES = 200  # of names that become files' names: 255 is the most, and something is put around them


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The run itself."""

    name: str = "run"  # names the run's folder and dataset
    seed: int = 0  # of everything random: (seed, query, teacher, attempt) decides an answer
    output_dir: str | None = None  # None: runs/NAME-TIME
    shard_queries: int = 4096  # queries of one dataset shard, a multiple of 32

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name:
            raise ValueError(f"name: {self.name!r} is empty or holds a slash")
        if len(self.name.encode("utf-8", "replace")) > MAX_NAME_BYTES or "\0" in self.name:
            raise ValueError(
                f"name: {self.name[:40]!r}… names no folder: it has more than {MAX_NAME_BYTES} bytes, or a zero"
            )
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: {self.seed} is outside [0, 2^63)")
        if self.shard_queries < 32 or self.shard_queries % 32:
            raise ValueError(f"shard_queries: {self.shard_queries} is not a positive multiple of 32")


@dataclass(frozen=True, kw_only=True)
class QueriesSettings:
    """Where the queries come from: files, or a generator that writes them into the run's folder."""

    paths: tuple[str, ...] = ()  # .jsonl, .jsonl.zst, .json, .parquet
    generator: Literal["quickstart", "reasoning_gym", "simulated"] | None = None
    num_queries: int = 2000  # that the generator writes
    limit: int | None = None  # of queries read, after which the rest is left
    category: str | None = None  # of rows that name none, and of all simulated ones
    max_unreadable_share: float = 0.01  # of rows, above which the run stops

    def __post_init__(self) -> None:
        if bool(self.paths) == (self.generator is not None):
            raise ValueError("give either paths or generator, and not both")
        if self.category is not None and self.category not in CATEGORIES:
            raise ValueError(f"category: {self.category!r} is none of {', '.join(CATEGORIES)}")
        for name in ("num_queries", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is not positive")
        if not 0.0 <= self.max_unreadable_share <= 1.0:
            raise ValueError(f"max_unreadable_share: {self.max_unreadable_share} is outside [0, 1]")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One section for each stage; `train` and `evaluate` may be left out."""

    run: RunSettings = field(default_factory=RunSettings)
    queries: QueriesSettings
    curate: CurateSettings = field(default_factory=CurateSettings)
    teachers: tuple[TeacherSettings, ...]
    attempts: AttemptSettings = field(default_factory=AttemptSettings)
    verify: VerifySettings = field(default_factory=VerifySettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    pack: PackSettings | None = None
    train: TrainSettings | None = None
    evaluate: EvaluateSettings | None = None
    card: CardSettings = field(default_factory=CardSettings)

    def __post_init__(self) -> None:
        if not self.teachers:
            raise ValueError("teachers: the list is empty")
        names = [teacher.name for teacher in self.teachers]
        for name in names:
            if len(name) > MAX_NAME_BYTES:  # ASCII: its own check says so
                raise ValueError(
                    f"teachers: the name {name[:40]!r}… has {len(name)} characters, at most {MAX_NAME_BYTES}"
                )
            if names.count(name) > 1:
                raise ValueError(f"teachers: two are named {name!r}")
        if self.evaluate is not None and not self.evaluate.questions:
            raise ValueError("evaluate.questions is empty: files of questions, or no section evaluate")
        if self.train is not None and self.pack is None:
            raise ValueError("train: there is nothing to train on without a section pack")
        if self.pack is not None:
            if not self.pack.tokenizer:
                raise ValueError("pack.tokenizer is missing: a folder with the student's tokenizer and chat template")
            for name in self.pack.teachers:
                if name not in names:
                    raise ValueError(f"pack.teachers: {name!r} is none of {', '.join(names)}")


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with dotted overrides. Raises ValueError that names key and value."""
    return build(Recipe, apply_overrides(read_yaml(path), overrides))
