"""Semantic deduplication (arXiv 2503.19633 section 2.1.4): of queries that mean the same, one is kept by priority.

Compared are whole texts: a text longer than the model's window by the mean of its pieces. Queries of a guarded
category are compared where their numbers and signs agree, for models hardly see numbers and other numbers are
another question; the rest among themselves. The result depends on the queries, their order of priority and the model
alone: not on their order of arrival, on chunks or on threads.
"""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.encoder import Encoder
from reasonmill.engine.curate.semantic_search import standing
from reasonmill.engine.curate.settings import CurateSettings, SemanticSettings
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Query, Reject
from reasonmill.kernels.corpus import Corpus

_ENCODED = 256  # queries of one call
_SMALL = 8192  # queries that are searched here: a process that loads torch takes longer to start
_LOOSE = np.uint64(2**64 - 1)  # pool of the categories that are not guarded


@dataclass(frozen=True, kw_only=True, slots=True)
class Likenesses:
    """`kept` in input order, and a Reject for each of the others, in input order."""

    kept: list[Query]
    removed: list[Reject]


async def without_likenesses(queries: Sequence[Query], settings: CurateSettings, encoder: Encoder) -> Likenesses:
    """The queries that are kept. Raises RunFailed if a process keeps dying."""
    if len(queries) < 2:
        return Likenesses(kept=list(queries), removed=[])
    order = priority_order(queries, settings.semantic)
    with tempfile.TemporaryDirectory(prefix="reasonmill-semantic-") as folder:
        ranked = [queries[index] for index in order]
        await _write_vectors(Path(folder), ranked, encoder)
        np.save(Path(folder) / "pools.npy", _pools(ranked, settings))
        kept_as, cosines = await _search(Path(folder), settings)
    removed = []
    left = np.ones(len(queries), np.bool_)
    for rank in np.flatnonzero(kept_as != np.arange(len(queries))).tolist():
        left[order[rank]] = False
        evidence = {"of": ranked[int(kept_as[rank])].id, "cosine": float(cosines[rank])}
        reject = Reject(query_id=ranked[rank].id, stage="curate", reason="semantic_duplicate", evidence=evidence)
        removed.append((order[rank], reject))
    return Likenesses(
        kept=[query for query, stays in zip(queries, left.tolist(), strict=True) if stays],
        removed=[reject for _, reject in sorted(removed, key=lambda pair: pair[0])],
    )


def priority_order(queries: Sequence[Query], settings: SemanticSettings) -> list[int]:
    """Indices in the order in which queries claim to be kept: by the rules of the settings, then by id."""
    place_of = {source: place for place, source in enumerate(settings.sources)}

    def claim(index: int) -> tuple[object, ...]:
        query = queries[index]
        checked = query.ground_truth or query.test_case or query.instruction_constrain
        keys: dict[str, object] = {
            "verifiable": not checked,
            "source": place_of.get(query.source, len(place_of)),
            "longer": -len(query.text),
            "shorter": len(query.text),
        }
        return (*(keys[rule] for rule in settings.priority), query.id, query.text)

    return sorted(range(len(queries)), key=claim)


def _pools(queries: Sequence[Query], settings: CurateSettings) -> NDArray[np.uint64]:
    """Which queries are compared with which, uint64 [N]."""
    corpus = Corpus([query.text for query in queries], num_threads=settings.num_threads)
    guarded = np.array([query.category in settings.number_guard for query in queries], np.bool_)
    return np.where(guarded, np.minimum(corpus.quantities, _LOOSE - np.uint64(1)), _LOOSE)


async def _write_vectors(folder: Path, queries: Sequence[Query], encoder: Encoder) -> None:
    """One unit vector for each query, in a file that is mapped: they may be more than memory holds."""
    array: Any = None
    for start in range(0, len(queries), _ENCODED):
        some = queries[start : start + _ENCODED]
        for at, pieces in enumerate(await encoder.vectors([query.text for query in some]), start=start):
            if array is None:
                make: Callable[..., Any] = np.lib.format.open_memmap
                array = make(folder / "vectors.npy", "w+", np.float32, (len(queries), pieces.shape[1]))
            mean = pieces.astype(np.float64).mean(axis=0)
            array[at] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    assert array is not None, "there is no vector to write"
    array.flush()


async def _search(folder: Path, settings: CurateSettings) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What semantic_search.standing finds. Raises RunFailed with its last words."""
    index_above = settings.semantic.index_above
    pools = np.load(folder / "pools.npy")
    if len(pools) <= _SMALL:
        vectors = np.load(folder / "vectors.npy")
        found = await asyncio.to_thread(standing, vectors, pools, settings.semantic.threshold)
        return found.kept_as, found.cosine
    with (folder / "log").open("w+b") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "reasonmill.engine.curate.semantic_worker", str(folder)),
            *(str(settings.semantic.threshold), settings.embeddings.device),
            "" if index_above is None else str(index_above),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log.fileno(),
            stderr=log.fileno(),
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if status != 0:
            log.seek(0)
            said = log.read()[-2000:].decode("utf-8", "replace").strip()
            raise RunFailed(f"the search for likenesses ended with status {status}: {said or 'it said nothing'}")
    return np.load(folder / "kept_as.npy"), np.load(folder / "cosine.npy")
