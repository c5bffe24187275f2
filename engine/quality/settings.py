"""What an accepted answer must still satisfy before it becomes a sample."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """Structure and repetition (arXiv 2505.14464 section 2.2, 2503.19633 section 2.2.3; numbers from 2504.17565 p6)."""

    require_think: bool = True  # a non-empty reasoning part
    require_answer: bool = True  # a non-empty answer part
    repetition_ngram: int = 20  # words of an n-gram
    max_ngram_count: int = 20  # an n-gram seen more often in one answer is a loop
    max_consecutive_repeats: int = 20  # the same word or short phrase this often in a row is a loop

    def __post_init__(self) -> None:
        for name in ("repetition_ngram", "max_ngram_count", "max_consecutive_repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
