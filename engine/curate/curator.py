"""The whole-input pass: filters, exact duplicates, near-duplicates, decontamination by text.

Every query that enters leaves once, as kept or as a Reject with its evidence; kept ones stay in input order. Which copy
of a text is kept depends on the smallest id, never on arrival; nothing depends on the number of threads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.decontaminate import EvaluationItem, contaminated
from reasonmill.engine.curate.exact import exact_duplicates
from reasonmill.engine.curate.near_duplicates import near_duplicate_pairs, rank_order
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Query, Reject, Stage
from reasonmill.kernels import minhash


@dataclass(frozen=True, kw_only=True, slots=True)
class Curation:
    """`kept` in input order, `removed` in the order of the steps and, within a step, of the input."""

    kept: list[Query]
    removed: list[Reject]


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Queries, and in the same order what of them is compared."""

    queries: list[Query]
    texts: list[str]

    @property
    def ids(self) -> list[str]:
        """Id of each query."""
        return [query.id for query in self.queries]

    def where(self, kept: Sequence[bool]) -> "Texts":
        """Those that are marked."""
        return Texts(queries=list(compress(self.queries, kept)), texts=list(compress(self.texts, kept)))


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
    removed: list[Reject] = []
    left = Texts(queries=list(queries), texts=[query.text for query in queries])
    left = _filtered(left, settings, is_incomplete, removed)
    left = _without_copies(left, settings, removed)
    left = _without_near_duplicates(left, settings, removed)
    left = _without_contaminated(left, evaluation, settings, removed)
    return Curation(kept=left.queries, removed=removed)


def _filtered(
    given: Texts, settings: CurateSettings, is_incomplete: Callable[[str], bool] | None, removed: list[Reject]
) -> Texts:
    num_words = minhash.fingerprints(given.texts, num_threads=settings.num_threads).num_words.tolist()
    findings = [
        filters.check(text, words, settings.filters, is_incomplete)
        for text, words in zip(given.texts, num_words, strict=True)
    ]
    for query, finding in zip(given.queries, findings, strict=True):
        if finding is not None:
            removed.append(_removed(query, finding.reason, finding.evidence))
    return given.where([finding is None for finding in findings])


def _without_copies(given: Texts, settings: CurateSettings, removed: list[Reject]) -> Texts:
    prints = minhash.fingerprints(given.texts, num_threads=settings.num_threads)
    first = exact_duplicates(prints, rank_order(given.ids, given.texts)).tolist()
    for copy, original in enumerate(first):
        if copy != original:
            match = "identical" if given.texts[copy] == given.texts[original] else "normalised"
            evidence = {"of": given.queries[original].id, "match": match}
            removed.append(_removed(given.queries[copy], "exact_duplicate", evidence))
    return given.where([copy == original for copy, original in enumerate(first)])


def _without_near_duplicates(given: Texts, settings: CurateSettings, removed: list[Reject]) -> Texts:
    if settings.near_duplicate_threshold is None:
        return given
    kept_as, jaccard = near_duplicate_pairs(
        given.texts,
        settings.near_duplicate_threshold,
        order=rank_order(given.ids, given.texts),
        num_threads=settings.num_threads,
    )
    for index, original in enumerate(kept_as.tolist()):
        if index != original:
            evidence = {"of": given.queries[original].id, "jaccard": round(float(jaccard[index]), 4)}
            removed.append(_removed(given.queries[index], "near_duplicate", evidence))
    return given.where((kept_as == np.arange(len(kept_as))).tolist())


def _without_contaminated(
    given: Texts, evaluation: Sequence[EvaluationItem], settings: CurateSettings, removed: list[Reject]
) -> Texts:
    found = contaminated(given.texts, evaluation, settings.decontaminate, num_threads=settings.num_threads)
    for index, contamination in found.items():
        reason = f"contaminated_{contamination.rule}"
        removed.append(_removed(given.queries[index], reason, contamination.evidence(), stage="decontaminate"))
    return given.where([index not in found for index in range(len(given.texts))])


def _removed(query: Query, reason: str, evidence: dict[str, Any], *, stage: Stage = "curate") -> Reject:
    return Reject(query_id=query.id, stage=stage, reason=reason, evidence=evidence)
