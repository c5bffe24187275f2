"""How much of an evaluation item stands close together in a query. Many short likenesses all over a long query, such as
three words here and a formula there, are what problems of one field share; a copy has them within one stretch.
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.hashes_reference import gram_hashes
from reasonmill.kernels.tokens import tokenize


def densest_weight(
    text: str, grams: NDArray[np.uint64], weights: NDArray[np.uint32], ngram: int, num_tokens: int
) -> int:
    """Greatest summed weight of distinct n-grams that begin within `num_tokens` tokens of each other in the text.

    `grams` uint64 [G], ascending, are the item's, `weights` uint32 [G] theirs.
    """
    hashes = gram_hashes([token.hash for token in tokenize(text)], ngram)
    if not len(hashes) or not len(grams):
        return 0
    place = np.minimum(np.searchsorted(grams, hashes), len(grams) - 1)
    found = np.flatnonzero(grams[place] == hashes)
    within: Counter[int] = Counter()
    weight = best = first = 0
    for at in found.tolist():
        gram = int(place[at])
        within[gram] += 1
        if within[gram] == 1:
            weight += int(weights[gram])
        while at - found[first] > num_tokens:
            left = int(place[found[first]])
            within[left] -= 1
            if within[left] == 0:
                weight -= int(weights[left])
            first += 1
        best = max(best, weight)
    return best
