"""The whole-input pass over queries that are in memory: filters, exact duplicates, near-duplicates, decontamination by
text. Files of any size go through `reading.py`; both decide by the same code.

Every query that enters leaves once, as kept or as a Reject with its evidence; kept ones stay in input order. Which copy
of a text is kept depends on the smallest id, never on arrival; nothing depends on the number of threads. Each text is
read once for all steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from reasonmill.engine.curate.decisions import Claims, decide, filtered, removals
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem
from reasonmill.engine.curate.duplicates import rank_order
from reasonmill.engine.curate.first_pass import FirstPass
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Query, Reject


@dataclass(frozen=True, kw_only=True, slots=True)
class Curation:
    """`kept` in input order, `removed` in the order of the steps and, within a step, of the input; `variants`: ids of
    kept queries that are like an earlier kept one, whose id is the value, but for their numbers.
    """

    kept: list[Query]
    removed: list[Reject]
    variants: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """Queries in memory, by number."""

    queries: Sequence[Query]
    texts: Sequence[str]

    def id(self, number: int) -> str:
        return self.queries[number].id

    def text(self, number: int) -> str:
        return self.texts[number]

    def same_text(self, number: int, other: int) -> bool:
        return self.texts[number] == self.texts[other]


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
    reading = FirstPass(against, settings, is_incomplete)
    findings = reading.read(texts)
    claims = Claims(
        order=rank_order([query.id for query in queries], texts),
        active=np.array([finding is None for finding in findings], np.bool_),
        loose=np.array([query.category not in settings.number_guard for query in queries], np.bool_),
    )
    prints, matches = reading.take_prints(), reading.take_matches()
    decisions = decide(texts, texts.__getitem__, prints, matches, claims, against, settings)
    removed = [
        filtered(query.id, finding) for query, finding in zip(queries, findings, strict=True) if finding is not None
    ]
    removed.extend(removals(decisions, _Held(queries=queries, texts=texts), len(queries)))
    kept = list(compress(queries, decisions.left.tolist()))
    labelled = np.flatnonzero(decisions.left & (decisions.variant_of >= 0)).tolist()
    variants = {queries[number].id: queries[int(decisions.variant_of[number])].id for number in labelled}
    return Curation(kept=kept, removed=removed, variants=variants)
