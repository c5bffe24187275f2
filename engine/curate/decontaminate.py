"""Decontamination by text: queries that contain an evaluation item, or much of one, are removed with the evidence.

- `containment`: the item's whole token sequence (words and mathematical signs, folded) stands in the query.
- `ngram`: the query holds at least `least_share` of the item's distinct n-grams, weighted by rarity. An n-gram made
  only of words that most problem statements use, or found in many queries, weighs less: templates alone do not count.

If one item, n-gram or evaluation set takes away an implausible share of the queries, nothing is removed: it stops
with an explanation, because a template or a training set among the evaluation sets is the likelier cause.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reasonmill.engine.curate.decontamination_guard import guard, guard_ngrams
from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.evidence import longest_match
from reasonmill.engine.curate.rarity import UNIT, item_ngrams, rarity
from reasonmill.engine.curate.settings import DecontaminateSettings
from reasonmill.kernels.ngrams import NgramIndex

__all__ = ["Contamination", "EvaluationItem", "contaminated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contamination:
    """Which item a text repeats: by which rule, how much of it (0 to 1), and the longest stretch they share."""

    item: EvaluationItem
    rule: str
    coverage: float
    matched: str

    def evidence(self) -> dict[str, Any]:
        """What a Reject shows."""
        return {
            "item": self.item.id,
            "evaluation_set": self.item.set_name,
            "rule": self.rule,
            "coverage": round(self.coverage, 4),
            "matched": self.matched,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Hit:
    """A text, and an item that takes it away."""

    text: int
    item: int
    rule: str
    coverage: float

    @property
    def strength(self) -> tuple[float, bool, int]:
        """Larger for what is better evidence; of equals, the first item."""
        return self.coverage, self.rule == "containment", -self.item


def contaminated(
    texts: Sequence[str],
    evaluation: Sequence[EvaluationItem],
    settings: DecontaminateSettings,
    *,
    num_threads: int = 0,
) -> dict[int, Contamination]:
    """By index, ascending, the texts to remove, each with the item it covers most.

    Raises decontamination_guard.SuspiciousDecontamination if the guard trips.
    """
    hits: dict[int, _Hit] = {}
    found = (
        *_containments(texts, evaluation, settings, num_threads),
        *_overlaps(texts, evaluation, settings, num_threads),
    )
    for hit in found:
        best = hits.get(hit.text)
        if best is None or hit.strength > best.strength:
            hits[hit.text] = hit
    guard(len(texts), [evaluation[hit.item] for hit in hits.values()], settings)
    return {
        index: Contamination(
            item=evaluation[hit.item],
            rule=hit.rule,
            coverage=hit.coverage,
            matched=longest_match(texts[index], evaluation[hit.item].text),
        )
        for index, hit in sorted(hits.items())
    }


def _under(rule: str, evaluation: Sequence[EvaluationItem]) -> list[int]:
    return [index for index, item in enumerate(evaluation) if rule in item.rules]


def _containments(
    texts: Sequence[str], evaluation: Sequence[EvaluationItem], settings: DecontaminateSettings, num_threads: int
) -> Iterable[_Hit]:
    chosen = _under("containment", evaluation)
    if not chosen:
        return
    index = NgramIndex([evaluation[i].text for i in chosen], ngram=settings.ngram, num_threads=num_threads)
    for text, item in index.containments(texts, least_tokens=settings.containment_tokens).tolist():
        yield _Hit(text=text, item=chosen[item], rule="containment", coverage=1.0)


def _overlaps(
    texts: Sequence[str], evaluation: Sequence[EvaluationItem], settings: DecontaminateSettings, num_threads: int
) -> list[_Hit]:
    chosen = _under("ngram", evaluation)
    if not chosen:
        return []
    items = [evaluation[i].text for i in chosen]
    index = NgramIndex(items, ngram=settings.ngram, num_threads=num_threads)
    ngrams = item_ngrams(index, items, settings.ngram)
    weights = rarity(ngrams, index.count_texts(texts), len(texts), settings)
    overlaps = index.overlaps(texts, weights, settings.least_share)
    hits = [
        _Hit(
            text=int(overlaps.texts[row]),
            item=chosen[int(overlaps.items[row])],
            rule="ngram",
            coverage=int(overlaps.matched[row]) / int(overlaps.totals[row]),
        )
        for row in np.flatnonzero(overlaps.matched >= settings.least_weight * UNIT).tolist()
    ]
    removed = sorted({hit.text for hit in hits})
    guard_ngrams(len(texts), index.count_texts([texts[i] for i in removed]), ngrams, settings)
    return hits
