"""What curation removes. Values that the reports do not publish are settings with the reason for their default."""

from dataclasses import dataclass, field
from typing import Literal

from reasonmill.engine.curate.labels import LABELS
from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.teachers.settings import TeacherSettings

Rule = Literal["containment", "ngram", "embedding"]
RULES: tuple[Rule, ...] = ("containment", "ngram", "embedding")
Claim = Literal["verifiable", "source", "longer", "shorter"]


@dataclass(frozen=True, kw_only=True)
class AgainstSettings:
    """One evaluation set and the rules by which queries are compared with it.

    A held-back set made of the queries' own templates (same words, other numbers) takes `containment` alone.
    """

    path: str  # .jsonl, .jsonl.zst, .json or .parquet
    name: str | None = None  # in the evidence; None: the file's name
    rules: tuple[Rule, ...] = RULES

    def __post_init__(self) -> None:
        for rule in self.rules:
            if rule not in RULES:
                raise ValueError(f"rules: {rule!r} is none of {', '.join(RULES)}")
        if not self.rules:
            raise ValueError(f"rules: none given for {self.path!r}, so that it would not be compared with anything")


@dataclass(frozen=True, kw_only=True)
class FilterSettings:
    """Filters on single queries (arXiv 2505.14464 section 2.1)."""

    max_unicode_ratio: float = 0.1  # of a query's visible characters that are corrupted; threshold not published
    drop_incomplete: bool = True  # texts that were cut off or are placeholders
    min_words: int = 2  # fewer are incomplete; numbers and Han characters are words
    drop_urls: bool = True
    drop_tables: bool = True
    drop_image_references: bool = False  # arXiv 2505.08311 section 3 drops them, arXiv 2505.14464 does not say
    max_words: int | None = None  # more are too long; None: no limit. No more fit a row of 32,768 tokens
    ask_incomplete: bool = False  # also ask the model of curate.ask which queries are incomplete

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_unicode_ratio <= 1.0:
            raise ValueError(f"max_unicode_ratio: {self.max_unicode_ratio} is outside [0, 1]")
        if self.min_words < 1:
            raise ValueError(f"min_words: {self.min_words} is not positive")
        if self.max_words is not None and self.max_words < self.min_words:
            raise ValueError(f"max_words: {self.max_words} is below min_words = {self.min_words}")


@dataclass(frozen=True, kw_only=True)
class DecontaminateSettings:
    """The rules `containment` and `ngram` (method and threshold of the published fuzzy match are not given)."""

    ngram: int = 5  # tokens: words and mathematical signs
    short_ngram: int = 3  # of items of fewer than short_tokens tokens: one edit destroys five 5-grams of their few
    short_tokens: int = 50  # `reasonmill bench decontaminate`: recall at 10 % word edits .98, .92 with 5-grams alone
    least_share: float = 0.3  # of an item's n-grams, weighted by rarity, in one stretch of a contaminated query
    stretch: float = 2.0  # longest such stretch, in lengths of the item: what lies scattered is no copy
    least_weight: float = 2.0  # and at least this many rare n-grams, or 1 / common_weight times as many common ones
    least_short_weight: float = 1.25  # the same for items of short n-grams
    common_weight: float = 0.25  # of an n-gram made only of words that most problem statements use
    common_share: float = 0.001  # of the queries; an n-gram in more of them loses weight in proportion
    common_count: int = 20  # queries that an n-gram may always be in at full weight
    containment_tokens: int = 3  # shorter items match only a query that is nothing else
    guard_count: int = 100  # removals from which the guard looks at their shares
    guard_item_share: float = 0.01  # of the queries removed on account of one item, above which curation stops
    guard_ngram_share: float = 0.05  # the same for queries removed by rule ngram that all hold one n-gram
    guard_set_share: float = 0.5  # the same for one evaluation set

    def __post_init__(self) -> None:
        for name in ("ngram", "short_ngram", "common_count", "containment_tokens", "guard_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name in ("least_share", "common_weight", "guard_item_share", "guard_ngram_share", "guard_set_share"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside (0, 1]")
        if not 0.0 <= self.common_share <= 1.0:
            raise ValueError(f"common_share: {self.common_share} is outside [0, 1]")
        for name in ("short_tokens", "least_weight", "least_short_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: {getattr(self, name)} is negative")
        if not self.stretch >= 1.0:
            raise ValueError(f"stretch: {self.stretch} is below 1")


@dataclass(frozen=True, kw_only=True)
class EmbeddingSettings:
    """The rule `embedding` (arXiv 2505.14464 section 2.1: bge-m3, similarity above 0.9; cosine is our reading)."""

    enabled: bool = True
    model: str | None = None  # folder of a sentence-transformers model; None: the packaged all-MiniLM-L6-v2
    threshold: float = 0.9  # cosine above which a query is removed; a property of the model, to be set anew with it
    profile: str | None = (
        None  # file that `reasonmill calibrate` wrote for this model: its threshold replaces the other
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: the GPU where torch sees one
    dtype: Literal["float32", "bfloat16", "int8"] = "float32"  # bfloat16 moves a cosine by up to 0.005 (MiniLM);
    # int8 needs a profile, which is refused where it moves one near the threshold by more
    batch_size: int = 32  # pieces of like length; a GPU wants hundreds
    cache: str | None = None  # folder that keeps the vectors of texts for later runs; None: kept nowhere
    max_restarts: int = 2  # of a dead encoder process, over the life of the decontaminator
    deadline_s: float = 600.0  # for one call's texts, after which the encoder counts as dead

    def __post_init__(self) -> None:
        if not -1.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold: {self.threshold} is outside [-1, 1]")
        if self.dtype not in ("float32", "bfloat16", "int8"):
            raise ValueError(f"dtype: {self.dtype!r} is none of float32, bfloat16, int8")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device: {self.device!r} is none of auto, cpu, cuda")
        if self.batch_size < 1:
            raise ValueError(f"batch_size: {self.batch_size} is not positive")
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts: {self.max_restarts} is negative")
        if not self.deadline_s > 0.0:
            raise ValueError(f"deadline_s: {self.deadline_s} is not positive")
        if self.cache == "":
            raise ValueError("cache: '' is no folder")


@dataclass(frozen=True, kw_only=True)
class SemanticSettings:
    """Semantic deduplication (arXiv 2503.19633 section 2.1.4, which gives neither threshold nor order of priority)."""

    enabled: bool = False
    threshold: float = 0.95  # cosine above which two queries mean the same; MiniLM: of GSM8K no two reach 0.9
    priority: tuple[Claim, ...] = ("verifiable", "source", "longer")  # who is kept: with something to verify an answer
    # by, of the source listed first, of more or fewer characters; then the smallest id
    sources: tuple[str, ...] = ()  # best first; others come behind them
    index_above: int | None = 4_000_000  # queries compared with each other, above which faiss searches instead of all
    # products: 1 M queries of 384 dimensions take one core an hour of those

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold: {self.threshold} is outside (0, 1]")
        for rule in self.priority:
            if rule not in ("verifiable", "source", "longer", "shorter"):
                raise ValueError(f"priority: {rule!r} is none of verifiable, source, longer, shorter")
        if len(set(self.priority)) < len(self.priority):
            raise ValueError(f"priority: a rule stands twice in {', '.join(self.priority)}")
        if self.index_above is not None and self.index_above < 2:
            raise ValueError(f"index_above: {self.index_above} is below 2")


@dataclass(frozen=True, kw_only=True)
class TagSettings:
    """Labels of kept queries (arXiv 2503.19633 sections 2.1.2, 2.1.3, 2.2.4) and what share of a label is kept."""

    language: bool = False  # en, zh, other: by the text
    length: bool = False  # short, medium, long, very long: up to 64, 256, 1,024 words and more
    difficulty: bool = False  # very easy, easy, medium, hard, very hard: asked of the model of curate.ask
    topic: bool = False  # math, coding, …: asked of the same
    keep: dict[str, float] = field(default_factory=dict)  # share kept of a label, as difficulty:easy: 0.3; rates not
    # published
    seed: int = 0  # of the choice of those that are kept

    def __post_init__(self) -> None:
        for key, share in self.keep.items():
            name, _, label = key.partition(":")
            if label not in LABELS.get(name, ()):
                known = ", ".join(f"{tag}:{value}" for tag, values in LABELS.items() for value in values)
                raise ValueError(f"keep: {key!r} is none of {known}")
            if not getattr(self, name):
                raise ValueError(f"keep: {key!r} needs {name}: true")
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"keep: the share {share} of {key!r} is outside [0, 1]")

    @property
    def any(self) -> bool:
        """Whether queries get labels."""
        return self.language or self.length or self.difficulty or self.topic


@dataclass(frozen=True, kw_only=True)
class AskSettings:
    """The language model that curation asks about queries. It sees only those that all rules keep."""

    teacher: TeacherSettings | None = None  # as in the section teachers; a small instruct model does
    max_asked: int = 3  # times for one answer: replies that cannot be read are asked for again with another seed
    max_faults: int = 10  # of the model in a row on one query, after which curation stops

    def __post_init__(self) -> None:
        for name in ("max_asked", "max_faults"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")


@dataclass(frozen=True, kw_only=True)
class CurateSettings:
    """Filters, deduplication and decontamination of a run's queries."""

    filters: FilterSettings = field(default_factory=FilterSettings)
    near_duplicate_threshold: float | None = 0.8  # Jaccard of word-5-gram sets; None: only exact duplicates go
    number_guard: tuple[str, ...] = ("math", "science", "code")  # categories where other numbers are another question
    label_variants: bool = True  # name, for a kept query, a kept one that is alike but for its numbers
    decontaminate: DecontaminateSettings = field(default_factory=DecontaminateSettings)
    embeddings: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    semantic: SemanticSettings = field(default_factory=SemanticSettings)
    tags: TagSettings = field(default_factory=TagSettings)
    ask: AskSettings = field(default_factory=AskSettings)
    against: tuple[AgainstSettings, ...] = ()
    max_unreadable_share: float = 0.01  # of the rows that `reasonmill curate` reads, above which it fails
    num_threads: int = 0  # 0: every core; results do not depend on it

    def __post_init__(self) -> None:
        threshold = self.near_duplicate_threshold
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(f"near_duplicate_threshold: {threshold} is outside (0, 1]")
        for category in self.number_guard:
            if category not in CATEGORIES:
                raise ValueError(f"number_guard: {category!r} is none of {', '.join(CATEGORIES)}")
        if not 0.0 <= self.max_unreadable_share <= 1.0:
            raise ValueError(f"max_unreadable_share: {self.max_unreadable_share} is outside [0, 1]")
        if self.num_threads < 0:
            raise ValueError(f"num_threads: {self.num_threads} is negative")
        if self.asks_model and self.ask.teacher is None:
            raise ValueError(
                "ask.teacher is missing: filters.ask_incomplete, tags.difficulty and tags.topic ask a model"
            )
        if self.embeddings.dtype == "int8" and self.embeddings.profile is None:
            raise ValueError(
                "embeddings.profile is missing: int8 is used only where `reasonmill calibrate` measured it"
            )

    @property
    def asks_model(self) -> bool:
        """Whether a language model is asked about queries."""
        return self.filters.ask_incomplete or self.tags.difficulty or self.tags.topic
