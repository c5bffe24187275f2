"""The questions of an evaluation, from files: `FILE`, or `NAME=FILE` where the file's own name says too little."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.question_rows import question_of_row
from reasonmill.engine.evaluate.settings import EvaluateSettings
from reasonmill.engine.records import Query
from reasonmill.engine.store.file_names import distinct_names, name_and_path
from reasonmill.engine.store.rows import read_rows

_MOST_NAMED = 3  # rows at fault that a message names


def read_questions(paths: Sequence[str | Path], *, limit: int | None = None) -> list[Query]:
    """Questions in the order of the files; rows that name no category are math, unless their fields say otherwise.

    A question that stands twice is asked twice, the second time under an id of its own. Raises ValueError that names
    rows which cannot be read or judged: a score over fewer questions would not say so. FileNotFoundError.
    """
    questions: list[Query] = []
    seen: dict[str, int] = {}
    bad: list[str] = []
    for path in paths:
        for row in read_rows(path):
            if limit is not None and len(questions) == limit:
                break
            try:
                if row.value is None:
                    raise ValueError(row.error)
                query = question_of_row(row.value, source=Path(path).name)
            except ValueError as error:
                bad.append(f"{path}:{row.line}: {error}")
                continue
            seen[query.id] = seen.get(query.id, 0) + 1
            questions.append(query if seen[query.id] == 1 else replace(query, id=f"{query.id}#{seen[query.id]}"))
    if bad:
        more = f"; and {len(bad) - _MOST_NAMED} more" if len(bad) > _MOST_NAMED else ""
        raise ValueError(f"questions: {'; '.join(bad[:_MOST_NAMED])}{more}")
    if not questions:
        raise ValueError(f"questions: no question in {', '.join(map(str, paths)) or 'no file'}")
    return questions


def read_benchmarks(files: Sequence[str | Path], settings: EvaluateSettings) -> list[Benchmark]:
    """One benchmark a file, with its own number of samples. Raises as `read_questions`."""
    split = [name_and_path(str(file)) for file in files]
    if not split:
        raise ValueError("questions: no file of questions is given")
    paths = [path for _, path in split]
    names = [given or own for (given, _), own in zip(split, distinct_names(paths), strict=True)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"questions: two benchmarks are named {name!r}; NAME=FILE gives one another name")
    return [
        Benchmark(
            name=name,
            questions=tuple(read_questions([path], limit=settings.limit)),
            samples_per_question=settings.samples_of(name),
        )
        for name, path in zip(names, paths, strict=True)
    ]
