"""Stops a decontamination that takes away more than a real overlap would: thousands of queries on account of one item,
n-gram or set are a template, an identity or a training set among the evaluation sets, and removing them is a mistake.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.rarity import ItemNgrams
from reasonmill.engine.curate.settings import DecontaminateSettings

_SHOWN = 200  # characters of an item


class SuspiciousDecontamination(ValueError):
    """Nothing was removed; the message names the item, n-gram or set and says what to do."""


def guard(num_queries: int, culprits: Sequence[EvaluationItem], settings: DecontaminateSettings) -> None:
    """Check the items on whose account queries would be removed, one for each query."""
    by_item = Counter((item.set_name, item.id, item.text) for item in culprits)
    for (set_name, id_, text), count in by_item.items():
        if _too_many(count, num_queries, settings.guard_item_share, settings):
            raise SuspiciousDecontamination(
                f"item {id_!r} of evaluation set {set_name!r} alone would remove {count} of {num_queries} queries, "
                f"more than guard_item_share = {settings.guard_item_share}. It may be a template that the queries "
                f"share: {text[:_SHOWN]!r}. Take it out, or list its set with the rules that suit it."
            )
    by_set = Counter(item.set_name for item in culprits)
    for set_name, count in by_set.items():
        if _too_many(count, num_queries, settings.guard_set_share, settings):
            raise SuspiciousDecontamination(
                f"evaluation set {set_name!r} would remove {count} of {num_queries} queries, more than guard_set_share "
                f"= {settings.guard_set_share}. It may be the source of the queries, or share their templates: list it "
                f"with the rule containment alone then."
            )


def guard_ngrams(
    num_queries: int, num_removed_with: NDArray[np.uint32], ngrams: ItemNgrams, settings: DecontaminateSettings
) -> None:
    """Check the n-grams; `num_removed_with` uint32 [G] counts the queries that rule `ngram` would remove."""
    if not len(num_removed_with):
        return
    worst = int(num_removed_with.argmax())
    count = int(num_removed_with[worst])
    if _too_many(count, num_queries, settings.guard_ngram_share, settings):
        raise SuspiciousDecontamination(
            f"the n-gram {ngrams.words[worst]!r} stands in {count} of {num_queries} queries that would be removed, "
            f"more than guard_ngram_share = {settings.guard_ngram_share}. It is likely a template: raise least_share "
            f"or least_weight, or list the evaluation set with the rule containment alone."
        )


def _too_many(count: int, num_queries: int, share: float, settings: DecontaminateSettings) -> bool:
    return count >= settings.guard_count and count > share * num_queries
