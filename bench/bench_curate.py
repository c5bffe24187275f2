"""Curation by text: queries in, verified verdicts out (exact, near-duplicate, contamination) against the peers' flags.

Ratios are of CPU time on one thread over the same queries. The peers only flag what shares a band; ours compares what
it removes exactly, guards numbers, and, where the name says so, looks for 1,600 evaluation items in the same walk.
"""

from collections.abc import Callable, Iterator
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from reasonmill.bench import chinese, curate_peers, curate_rows
from reasonmill.bench.curate_corpus import Planted, Writer, planted
from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.instructions import instructions
from reasonmill.bench.method import interleave
from reasonmill.kernels import minhash_reference
from reasonmill.kernels.corpus import Banding, Corpus, Duplicates
from reasonmill.kernels.ngrams import NgramIndex

_QUERIES = {"ci": 20_000, "node": 200_000}
_TARGETS = {"datasketch": (75.0, 120.0), "rensa": (20.0, 34.0), "FastSketchLSH": (20.0, 38.0)}
_THRESHOLD = 0.8
_COUNTED = 4000  # queries of which instructions are counted


def measure(scale: Scale) -> Iterator[Figure]:
    """Ratios against the peers, then quality, rates and two threads."""
    corpus = planted(_QUERIES[scale])
    writer = Writer(99)
    items = [writer.query()[:300] for _ in range(1600)]
    index = NgramIndex(items, short_tokens=40)
    ours: dict[str, Callable[[], Duplicates]] = {
        "dedup": lambda: _verdicts(corpus.texts, None),
        "all": lambda: _verdicts(corpus.texts, index),
    }
    peers = curate_peers.installed()
    contestants: dict[str, Callable[[], object]] = dict(ours)
    for name, run in peers.items():
        contestants[name] = lambda run=run: run(corpus.texts)  # type: ignore[misc]
    timings = interleave(contestants, rounds=3, clock=process_time, warm_up=False)
    for name, (least, goal) in _TARGETS.items():
        if name not in peers:
            yield Figure(name=f"peer_missing_{name.lower()}", value=1, unit="not installed", better="lower")
            continue
        for kind, target in (("dedup", least), ("all", goal)):
            peer_us = timings.best(name) / len(corpus.texts) * 1e6
            yield timings.figure(f"{kind}_against_{name.lower()}", name, kind, target=target, us_per_query=peer_us)
    for kind in ours:
        yield Figure(
            name=f"{kind}_cpu", value=timings.best(kind) / len(corpus.texts) * 1e6, unit="us/query", better="lower",
            target=2.5 if kind == "dedup" else 1.5, detail={"bytes": _mean_bytes(corpus)},
        )  # fmt: skip
    yield from _quality(corpus, _verdicts(corpus.texts, None))
    yield from chinese.recall()
    one, two = (_wall(lambda n=n: _verdicts(corpus.texts, index, n)) for n in (1, 2))  # type: ignore[misc]
    yield Figure(name="two_threads", value=one / two, unit="x", target=1.8)
    yield from curate_rows.files(corpus.texts)
    yield from instructions(corpus.texts[:_COUNTED], items)


def _verdicts(texts: list[str], index: NgramIndex | None, num_threads: int = 1) -> Duplicates:
    corpus = Corpus(texts, banding=Banding(), index=index, least_tokens=3, num_threads=num_threads)
    found = corpus.duplicates(_THRESHOLD)
    if index is not None:
        index.overlaps(corpus.matches, np.ones(index.num_grams, np.uint32), 0.3)
    return found


def _wall(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return min(times)


def _mean_bytes(corpus: Planted) -> float:
    return sum(len(text.encode()) for text in corpus.texts) / len(corpus.texts)


def _quality(corpus: Planted, found: Duplicates) -> Iterator[Figure]:
    """Recall over the planted pairs that are alike by exact comparison, precision over what was removed."""
    quantities = Corpus(corpus.texts).quantities

    def grams(text: int) -> frozenset[int]:
        return frozenset(minhash_reference.word_grams(corpus.texts[text], 5).tolist())

    def jaccard(left: int, right: int) -> float:
        one, other = grams(left), grams(right)
        return len(one & other) / len(one | other)

    copies = np.flatnonzero(corpus.source != np.arange(len(corpus.texts)))
    pairs = [(int(copy), int(corpus.source[copy])) for copy in copies[:4000]]
    true = [(c, s) for c, s in pairs if quantities[c] == quantities[s] and jaccard(c, s) >= _THRESHOLD]
    same = sum(int(found.kept_as[copy] == found.kept_as[source]) for copy, source in true)
    yield Figure(name="recall", value=same / len(true), unit="share", target=0.9999, gated=True, tolerance=0.001,
                 detail={"pairs": len(true)})  # fmt: skip
    removed: NDArray[np.int64] = np.flatnonzero(found.kept_as != np.arange(len(corpus.texts)))[:4000]
    right = [jaccard(int(text), int(found.kept_as[text])) >= _THRESHOLD for text in removed]
    yield Figure(name="precision", value=float(np.mean(right)), unit="share", target=1.0, gated=True, tolerance=0.0,
                 detail={"removed": len(right)})  # fmt: skip
