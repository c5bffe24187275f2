"""Settings of packing, checked once on construction."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

_MAX_CAPACITY = 2**31 - 1  # lengths and offsets inside a row are int32


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """How accepted samples become rows of tokens (arXiv 2505.14464 section 3.1: 32k rows, longer samples excluded)."""

    kind: Literal["samples", "pairs"] = "samples"  # pairs: a chosen and a rejected answer, for train.preference
    tokenizer: str = ""  # folder of a Hugging Face tokenizer with a chat template; a run needs one
    date: str = ""  # day that a chat template is told which asks for it, YYYY-MM-DD; empty: that of the packing
    max_length: int = 32768  # tokens of a row, and of the longest sample kept
    packing: bool = True  # false: a row is one sample, however short; nothing is padded (arXiv 2504.17565 stage II)
    window_documents: int = 1024  # samples planned together; 1024 fills within 0.02 % of planning all at once
    min_fill: float = 0.9995  # a row at least this full leaves the window; the rest is planned again
    max_wait_documents: int = 0  # a sample is in a row after this many others at the latest; 0: sixteen windows
    max_wait_s: float = 0.0  # of a run: the same in seconds; rows then depend on when samples came; 0: no limit
    teachers: tuple[str, ...] = ()  # whose samples are packed; empty: all
    categories: tuple[str, ...] = ()  # which categories are packed; empty: all

    @property
    def window(self) -> int:
        """Samples planned together: those set, or each by itself."""
        return self.window_documents if self.packing else 1

    def takes(self, teacher: str) -> bool:
        """Whether samples of this teacher are packed."""
        return not self.teachers or teacher in self.teachers

    def __post_init__(self) -> None:
        if self.date and not _is_day(self.date):
            raise ValueError(f"date: {self.date!r} is no day as 2025-05-31 is")
        if self.kind not in ("samples", "pairs"):
            raise ValueError(f"kind: {self.kind!r} is neither samples nor pairs")
        if not 1 <= self.max_length <= _MAX_CAPACITY:
            raise ValueError(f"max_length: {self.max_length} is outside [1, {_MAX_CAPACITY}]")
        if self.window_documents < 1:
            raise ValueError(f"window_documents: {self.window_documents} is not positive")
        if not 0.0 < self.min_fill <= 1.0:
            raise ValueError(f"min_fill: {self.min_fill} is outside (0, 1]")
        if self.max_wait_documents < 0:
            raise ValueError(f"max_wait_documents: {self.max_wait_documents} is negative")
        if not 0.0 <= self.max_wait_s < float("inf"):
            raise ValueError(f"max_wait_s: {self.max_wait_s} is outside [0, inf)")


def _is_day(text: str) -> bool:
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False
