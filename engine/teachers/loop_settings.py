"""When a stream is broken off, checked once on construction."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LoopBreakerSettings:
    """Spans are characters of the answer. The defaults abort none of the clean traces of `bench loops`."""

    enabled: bool = True
    min_repeats: int = 3  # of a period, back to back, before it is a loop
    min_span: int = 5000  # that they must cover: some 1,400 tokens; real traces stay clean down to 600
    max_period: int = 8000  # longest period that is looked for: some 2,000 tokens
    counted_repeats: int = 60  # of a period that is the same but for its numbers; lists and tables have as many
    counted_span: int = 12_000  # that they must cover
    second_think: bool = True  # break off where an answer begins to think once more
    after_answer: int = 400  # characters after </answer>, from which the answer is taken as finished; 0: off
    script: str | None = None  # latin, han, cyrillic …: what the letters of an answer are to be; None: anything
    min_script_share: float = 0.5  # of the letters in the last language_span
    language_span: int = 2000

    def __post_init__(self) -> None:
        if self.min_repeats < 2 or self.counted_repeats < 2:
            raise ValueError(f"min_repeats: {min(self.min_repeats, self.counted_repeats)} is less than 2")
        for name in ("min_span", "max_period", "counted_span", "language_span"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.after_answer < 0:
            raise ValueError(f"after_answer: {self.after_answer} is negative")
        if not 0.0 < self.min_script_share <= 1.0:
            raise ValueError(f"min_script_share: {self.min_script_share} is outside (0, 1]")
        if self.script is not None and self.script not in SCRIPTS:
            raise ValueError(f"script: {self.script!r} is none of {', '.join(SCRIPTS)}")


# Letters by script, as ranges of a regular expression's class (Unicode blocks that text is written in)
SCRIPTS = {
    "latin": "A-Za-z\u00c0-\u024f",
    "greek": "\u0370-\u03ff",
    "cyrillic": "\u0400-\u04ff",
    "hebrew": "\u0590-\u05ff",
    "arabic": "\u0600-\u06ff",
    "devanagari": "\u0900-\u097f",
    "thai": "\u0e00-\u0e7f",
    "kana": "\u3040-\u30ff",
    "han": "\u4e00-\u9fff",
    "hangul": "\uac00-\ud7af",
}
