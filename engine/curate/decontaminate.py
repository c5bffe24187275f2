"""Decontamination by text: queries that contain an evaluation item, or much of one, are removed with the evidence.

- `containment`: the item's whole token sequence (words and mathematical signs, folded) stands in the query.
- `ngram`: one stretch of the query holds at least `least_share` of the item's distinct n-grams, weighted by rarity. An
  n-gram made only of words that most problem statements use, or found in many queries, weighs less: templates alone
  do not count. Short items are compared by shorter n-grams.
  What repeats an item whole but for its numbers is found too.

Texts are read once for both rules. If one item, n-gram or evaluation set takes away an implausible share of the
queries, nothing is removed: it stops with an explanation, because a template or a training set among the evaluation
sets is the likelier cause.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.decontamination_guard import guard, guard_ngrams
from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.evidence import longest_match
from reasonmill.engine.curate.other_numbers import Templates
from reasonmill.engine.curate.rarity import UNIT, item_ngrams, rarity
from reasonmill.engine.curate.settings import DecontaminateSettings
from reasonmill.kernels.corpus import Corpus
from reasonmill.kernels.ngrams import Matches, NgramIndex

_TEMPLATE_SHARE = 0.1  # of an item's n-grams, from which a text is looked at as a copy with other numbers

__all__ = ["Contamination", "Evaluation", "EvaluationItem", "Hit", "contaminated"]


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
class Hit:
    """A text, and an item that takes it away."""

    text: int
    item: int
    rule: str
    coverage: float

    @property
    def strength(self) -> tuple[float, bool, int]:
        """Larger for what is better evidence; of equals, the first item."""
        return self.coverage, self.rule == "containment", -self.item


class Evaluation:
    """Evaluation items, ready to be looked for: `index` is of those that rule `containment` or `ngram` compares."""

    def __init__(self, items: Sequence[EvaluationItem], settings: DecontaminateSettings) -> None:
        self.settings = settings
        self.items = [item for item in items if "containment" in item.rules or "ngram" in item.rules]
        texts = [item.text for item in self.items]
        self.index = NgramIndex(
            texts, ngram=settings.ngram, short_ngram=settings.short_ngram, short_tokens=settings.short_tokens
        )
        self.ngrams = item_ngrams(self.index, texts, settings)
        self._templates = Templates(texts)
        self._by_ngram = np.array(["ngram" in item.rules for item in self.items], np.bool_)
        self._by_containment = np.array(["containment" in item.rules for item in self.items], np.bool_)

    def contaminated(
        self, text_at: Callable[[int], str], matches: Matches, chosen: NDArray[np.bool_]
    ) -> list[tuple[int, Contamination]]:
        """Of the chosen texts, bool [N], those to remove, ascending, each with the item it covers most.

        `matches` are those of a corpus that was read with this index; few of its texts are asked for again.
        Raises decontamination_guard.SuspiciousDecontamination if the guard trips.
        """
        matches = matches.where(chosen)
        num_texts = int(np.count_nonzero(chosen))
        best: dict[int, Hit] = {}
        for hit in (*self._containments(matches), *self._overlaps(text_at, matches, num_texts)):
            known = best.get(hit.text)
            if known is None or hit.strength > known.strength:
                best[hit.text] = hit
        guard(num_texts, [self.items[hit.item] for hit in best.values()], self.settings)
        return [(text, self._evidence(best[text], text_at(text))) for text in sorted(best)]

    def _evidence(self, hit: "Hit", text: str) -> Contamination:
        item = self.items[hit.item]
        return Contamination(item=item, rule=hit.rule, coverage=hit.coverage, matched=longest_match(text, item.text))

    def _containments(self, matches: Matches) -> Iterable["Hit"]:
        for text, item in matches.contained.tolist():
            if self._by_containment[item]:
                yield Hit(text=text, item=item, rule="containment", coverage=1.0)

    def _overlaps(self, text_at: Callable[[int], str], matches: Matches, num_texts: int) -> list["Hit"]:
        settings = self.settings
        weights = rarity(self.ngrams, self.index.count_texts(matches), num_texts, settings)
        overlaps = self.index.overlaps(matches, weights, min(_TEMPLATE_SHARE, settings.least_share))
        is_short = self.ngrams.num_tokens[overlaps.items] < settings.short_tokens
        least = np.where(is_short, settings.least_short_weight, settings.least_weight) * UNIT
        by_ngram = self._by_ngram[overlaps.items]
        much = by_ngram & (overlaps.matched >= settings.least_share * overlaps.totals) & (overlaps.matched >= least)
        rows = np.flatnonzero(much)
        texts, items = overlaps.texts[rows], overlaps.items[rows]
        close = self.index.densest([text_at(text) for text in texts.tolist()], items, weights, settings.stretch)
        shares = close / overlaps.totals[rows]
        hits = [
            Hit(text=int(texts[at]), item=int(items[at]), rule="ngram", coverage=float(shares[at]))
            for at in np.flatnonzero((shares >= settings.least_share) & (close >= least[rows])).tolist()
        ]
        settled = {(hit.text, hit.item) for hit in hits}
        for row in np.flatnonzero(by_ngram).tolist():
            text, item = int(overlaps.texts[row]), int(overlaps.items[row])
            if (text, item) not in settled and self._templates.stands_in(text_at(text), item):
                share = float(overlaps.matched[row] / overlaps.totals[row])
                hits.append(Hit(text=text, item=item, rule="ngram", coverage=share))
        removed = np.zeros(len(matches.offset) - 1, np.bool_)
        removed[[hit.text for hit in hits]] = True
        guard_ngrams(num_texts, self.index.count_texts(matches.where(removed)), self.ngrams, settings)
        return hits


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
    against = Evaluation(evaluation, settings)
    corpus = Corpus(texts, index=against.index, least_tokens=settings.containment_tokens, num_threads=num_threads)
    return dict(against.contaminated(texts.__getitem__, corpus.matches, np.ones(len(texts), np.bool_)))
