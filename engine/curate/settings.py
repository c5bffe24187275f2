"""What curation removes. Values that the reports do not publish are settings with the reason for their default."""

from dataclasses import dataclass, field
from typing import Literal

from reasonmill.engine.records import CATEGORIES

Rule = Literal["containment", "ngram", "embedding"]
RULES: tuple[Rule, ...] = ("containment", "ngram", "embedding")


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

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_unicode_ratio <= 1.0:
            raise ValueError(f"max_unicode_ratio: {self.max_unicode_ratio} is outside [0, 1]")
        if self.min_words < 1:
            raise ValueError(f"min_words: {self.min_words} is not positive")


@dataclass(frozen=True, kw_only=True)
class DecontaminateSettings:
    """The rules `containment` and `ngram` (method and threshold of the published fuzzy match are not given)."""

    ngram: int = 5  # tokens: words and mathematical signs
    short_ngram: int = 3  # of items of fewer than short_tokens tokens: one edit destroys five 5-grams of their few
    short_tokens: int = 40  # `reasonmill bench decontaminate`: recall at 10 % word edits .98, .92 with 5-grams alone
    least_share: float = 0.3  # of an item's n-grams, weighted by rarity, in one stretch of a contaminated query
    stretch: float = 2.0  # longest such stretch, in lengths of the item: what lies scattered is no copy
    least_weight: float = 2.0  # and at least this many rare n-grams, or 1 / common_weight times as many common ones
    least_short_weight: float = 1.0  # the same for items of short n-grams
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
    dtype: Literal["float32", "bfloat16"] = "float32"  # bfloat16 moves a cosine by up to 0.005 (MiniLM)
    batch_size: int = 32  # texts, sorted by length
    max_restarts: int = 2  # of a dead encoder process, over the life of the decontaminator
    deadline_s: float = 600.0  # for one call's texts, after which the encoder counts as dead

    def __post_init__(self) -> None:
        if not -1.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold: {self.threshold} is outside [-1, 1]")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"dtype: {self.dtype!r} is neither float32 nor bfloat16")
        if self.batch_size < 1:
            raise ValueError(f"batch_size: {self.batch_size} is not positive")
        if self.max_restarts < 0:
            raise ValueError(f"max_restarts: {self.max_restarts} is negative")
        if not self.deadline_s > 0.0:
            raise ValueError(f"deadline_s: {self.deadline_s} is not positive")


@dataclass(frozen=True, kw_only=True)
class CurateSettings:
    """Filters, deduplication and decontamination of a run's queries."""

    filters: FilterSettings = field(default_factory=FilterSettings)
    near_duplicate_threshold: float | None = 0.8  # Jaccard of word-5-gram sets; None: only exact duplicates go
    number_guard: tuple[str, ...] = ("math", "science", "code")  # categories where other numbers are another question
    label_variants: bool = True  # name, for a kept query, a kept one that is alike but for its numbers
    decontaminate: DecontaminateSettings = field(default_factory=DecontaminateSettings)
    embeddings: EmbeddingSettings = field(default_factory=EmbeddingSettings)
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
