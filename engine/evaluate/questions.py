"""The questions of an evaluation, from files."""

from collections.abc import Sequence
from pathlib import Path

from reasonmill.engine.records import Query, Reject
from reasonmill.engine.store.readers import read_queries


def read_questions(paths: Sequence[str | Path], *, limit: int | None = None) -> list[Query]:
    """Questions in the order of the files; rows that name no category are math.

    Raises ValueError for a row that cannot be read: a score over fewer questions would not say so. FileNotFoundError.
    """
    questions: list[Query] = []
    for row in read_queries(paths, category="math"):
        if isinstance(row, Reject):
            raise ValueError(f"questions: {row.evidence['place']}: {row.evidence['error']}")
        questions.append(row)
        if limit is not None and len(questions) == limit:
            break
    if not questions:
        raise ValueError(f"questions: no question in {', '.join(map(str, paths)) or 'no file'}")
    return questions
