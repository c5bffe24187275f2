"""The decisions that need all queries: duplicates first, then what stands in evaluation items. Which copy of a text is
kept depends on the smallest id, never on arrival; nothing depends on the number of threads or on batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.decontaminate import Contamination, Evaluation
from reasonmill.engine.curate.filters import Finding
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Reject
from reasonmill.kernels import corpus
from reasonmill.kernels.matches import Matches
from reasonmill.kernels.prints import Prints
from reasonmill.kernels.texts import Texts


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """Of N texts: `order` int64 [N], the order in which they claim to be kept; `active` bool [N], those still there;
    `loose` bool [N], those whose numbers may differ; `settled` bool [N], those kept at an earlier time.
    """

    order: NDArray[np.int64]
    active: NDArray[np.bool_]
    loose: NDArray[np.bool_]
    settled: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """Of N texts: `left` bool [N], those that are kept; `unique` bool [N], those that are nobody's duplicate, be
    they contaminated or not; `kept_as`, `jaccard` and `variant_of` as kernels/corpus.py has them; `same_key` bool [N],
    duplicates by all their words and signs.
    """

    left: NDArray[np.bool_]
    unique: NDArray[np.bool_]
    kept_as: NDArray[np.int64]
    jaccard: NDArray[np.float64]
    variant_of: NDArray[np.int64]
    same_key: NDArray[np.bool_]
    contaminated: dict[int, Contamination]


class Texted(Protocol):
    """Where ids and texts are looked up again."""

    def id(self, number: int) -> str:
        """Id of a query."""
        ...

    def text(self, number: int) -> str:
        """Text of a query."""
        ...

    def same_text(self, number: int, other: int) -> bool:
        """Whether two queries have the same text."""
        ...


def decide(
    texts: Texts,
    text_at: Callable[[int], str],
    prints: Prints,
    matches: Matches,
    claims: Claims,
    evaluation: Evaluation,
    settings: CurateSettings,
) -> Decisions:
    """Decide on all texts that were read. `matches` may be of the first of them alone: the rest were kept before.

    Raises decontaminate.SuspiciousDecontamination if an evaluation item or set takes an implausible share away.
    """
    threshold = settings.near_duplicate_threshold
    found = corpus.find_duplicates(
        texts,
        prints,
        1.0 if threshold is None else threshold,
        order=claims.order,
        active=claims.active,
        loose=claims.loose,
        settled=claims.settled,
        label_variants=settings.label_variants and threshold is not None,
        num_threads=settings.num_threads,
    )
    unique = found.kept_as == np.arange(len(prints))
    same_key = (prints.keys == prints.keys[np.maximum(found.kept_as, 0)]).all(axis=1)
    left = unique if claims.settled is None else unique & ~claims.settled
    left = left.copy()
    contaminated: dict[int, Contamination] = {}
    if evaluation.items:
        contaminated = dict(evaluation.contaminated(text_at, matches, left[: len(matches.offset) - 1]))
        left[np.fromiter(contaminated, np.int64)] = False
    return Decisions(
        left=left,
        unique=unique,
        kept_as=found.kept_as,
        jaccard=found.jaccard,
        variant_of=found.variant_of,
        same_key=same_key,
        contaminated=contaminated,
    )


def filtered(query_id: str, finding: Finding) -> Reject:
    """The removal of a query by a filter."""
    return Reject(query_id=query_id, stage="curate", reason=finding.reason, evidence=finding.evidence)


def removals(decisions: Decisions, queries: Texted, num_queries: int) -> Iterator[Reject]:
    """What was decided against: exact duplicates, near-duplicates, contaminated ones, each in input order."""
    duplicate = (decisions.kept_as >= 0) & ~decisions.unique
    duplicate[num_queries:] = False
    for number in np.flatnonzero(duplicate & decisions.same_key).tolist():
        original = int(decisions.kept_as[number])
        match = "identical" if queries.same_text(number, original) else "normalised"
        yield _removed(queries, number, "exact_duplicate", {"of": queries.id(original), "match": match})
    for number in np.flatnonzero(duplicate & ~decisions.same_key).tolist():
        like = queries.id(int(decisions.kept_as[number]))
        alike: dict[str, object] = {"of": like, "jaccard": round(float(decisions.jaccard[number]), 4)}
        yield _removed(queries, number, "near_duplicate", alike)
    for number, found in decisions.contaminated.items():
        yield Reject(
            query_id=queries.id(number),
            stage="decontaminate",
            reason=f"contaminated_{found.rule}",
            evidence=found.evidence(),
        )


def _removed(queries: Texted, number: int, reason: str, evidence: dict[str, object]) -> Reject:
    return Reject(query_id=queries.id(number), stage="curate", reason=reason, evidence=evidence)
