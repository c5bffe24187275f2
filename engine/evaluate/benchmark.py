"""A benchmark: questions under one name, each asked the same number of times."""

from dataclasses import dataclass

from reasonmill.engine.records import Query


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """Questions that a score is given for."""

    name: str
    questions: tuple[Query, ...]
    samples_per_question: int
