"""The whole-input pass: filters, exact duplicates, near-duplicates, decontamination by text.

Every query that enters leaves once, as kept or as a Reject with its evidence; kept ones stay in input order. Which copy
of a text is kept depends on the smallest id, never on arrival; nothing depends on the number of threads. Each text is
read once for all steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem
from reasonmill.engine.curate.duplicates import rank_order
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Query, Reject, Stage
from reasonmill.kernels.corpus import Banding, Corpus

EXACT_ONLY = Banding(bands=0, rows=0)  # what exact duplicates need is read in any case


@dataclass(frozen=True, kw_only=True, slots=True)
class Curation:
    """`kept` in input order, `removed` in the order of the steps and, within a step, of the input; `variants`: ids of
    kept queries that are like an earlier kept one, whose id is the value, but for their numbers.
    """

    kept: list[Query]
    removed: list[Reject]
    variants: dict[str, str]


def curate(
    queries: Sequence[Query],
    evaluation: Sequence[EvaluationItem],
    settings: CurateSettings,
    *,
    is_incomplete: Callable[[str], bool] | None = None,
) -> Curation:
    """Clean queries. `is_incomplete` is a further judge of incompleteness, asked about texts that pass all filters.

    Raises decontaminate.SuspiciousDecontamination if an evaluation item or set takes an implausible share away.
    """
    texts = [query.text for query in queries]
    against = Evaluation(evaluation, settings.decontaminate)
    corpus = Corpus(
        texts,
        banding=EXACT_ONLY if settings.near_duplicate_threshold is None else Banding(),
        index=against.index if against.items else None,
        least_tokens=settings.decontaminate.containment_tokens,
        num_threads=settings.num_threads,
    )
    removed: list[Reject] = []
    left = _unfiltered(queries, texts, corpus, settings, is_incomplete, removed)
    left, variant_of = _without_duplicates(queries, texts, corpus, left, settings, removed)
    if against.items:
        for index, found in against.contaminated(texts.__getitem__, corpus.matches, left):
            reason = f"contaminated_{found.rule}"
            removed.append(_removed(queries[index], reason, found.evidence(), stage="decontaminate"))
            left[index] = False
    kept = list(compress(queries, left.tolist()))
    variants = {
        queries[index].id: queries[variant_of[index]].id for index in np.flatnonzero(left & (variant_of >= 0)).tolist()
    }
    return Curation(kept=kept, removed=removed, variants=variants)


def _unfiltered(
    queries: Sequence[Query],
    texts: Sequence[str],
    corpus: Corpus,
    settings: CurateSettings,
    is_incomplete: Callable[[str], bool] | None,
    removed: list[Reject],
) -> NDArray[np.bool_]:
    """Those that pass the filters, bool [N]."""
    left = np.ones(len(texts), np.bool_)
    for index, (text, words) in enumerate(zip(texts, corpus.num_words.tolist(), strict=True)):
        finding = filters.check(text, words, settings.filters, is_incomplete)
        if finding is not None:
            removed.append(_removed(queries[index], finding.reason, finding.evidence))
            left[index] = False
    return left


def _without_duplicates(
    queries: Sequence[Query],
    texts: Sequence[str],
    corpus: Corpus,
    left: NDArray[np.bool_],
    settings: CurateSettings,
    removed: list[Reject],
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Those that are kept, bool [N], and the kept ones that they are variants of, int64 [N], -1 where there is none."""
    threshold = settings.near_duplicate_threshold
    guarded = settings.number_guard
    found = corpus.duplicates(
        1.0 if threshold is None else threshold,
        order=rank_order([query.id for query in queries], texts),
        active=left,
        loose=np.array([query.category not in guarded for query in queries], np.bool_),
        label_variants=settings.label_variants and threshold is not None,
    )
    exact, near = [], []
    keys = corpus.keys
    for index in np.flatnonzero(left & (found.kept_as != np.arange(len(texts)))).tolist():
        original = int(found.kept_as[index])
        if (keys[index] == keys[original]).all():
            match = "identical" if texts[index] == texts[original] else "normalised"
            same = {"of": queries[original].id, "match": match}
            exact.append(_removed(queries[index], "exact_duplicate", same))
        else:
            alike = {"of": queries[original].id, "jaccard": round(float(found.jaccard[index]), 4)}
            near.append(_removed(queries[index], "near_duplicate", alike))
        left[index] = False
    removed.extend((*exact, *near))
    return left, found.variant_of


def _removed(query: Query, reason: str, evidence: dict[str, Any], *, stage: Stage = "curate") -> Reject:
    return Reject(query_id=query.id, stage=stage, reason=reason, evidence=evidence)
