"""Curation of a file, from JSON lines to kept.jsonl: CPU time of everything, and what reading the rows takes of it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import orjson

from reasonmill.bench.figure import Figure
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings
from reasonmill.engine.store.query_blocks import unread_blocks
from reasonmill.engine.store.readers import read_queries

_ROUNDS = 3
_CATEGORIES = ("math", "code", "science", "other")


def files(texts: Sequence[str]) -> Iterator[Figure]:
    """Of these queries: whole curations without embeddings on one thread and on two, and rows read by both readers."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "queries.jsonl"
        rows = ({"prompt": text, "category": _CATEGORIES[n % 4]} for n, text in enumerate(texts))
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

        def curate(num_threads: int) -> None:
            settings = CurateSettings(embeddings=EmbeddingSettings(enabled=False), num_threads=num_threads)
            asyncio.run(curate_files([str(path)], [], str(Path(folder) / "out"), settings))

        def blocks() -> None:
            for unread in unread_blocks([path], max_rows=2048, max_bytes=2**23):
                unread()

        us = 1e6 / len(texts)
        whole = _best(lambda: curate(1), process_time) * us
        yield Figure(name="files_cpu", value=whole, unit="us/query", better="lower", target=5.3)
        python = _best(lambda: sum(1 for _ in read_queries([path])), process_time) * us
        read = _best(blocks, process_time) * us
        yield Figure(name="rows_cpu", value=read, unit="us/query", better="lower", detail={"python": python})
        one, two = (_best(lambda n=n: curate(n), perf_counter) for n in (1, 2))  # type: ignore[misc]
        yield Figure(name="files_two_threads", value=one / two, unit="x", target=1.8)


def _best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    times = []
    for _ in range(_ROUNDS):
        began = clock()
        work()
        times.append(clock() - began)
    return min(times)
