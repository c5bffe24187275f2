"""Near-duplicates: texts whose sets of word-5-grams are alike and whose numbers and mathematical signs agree.

Every removed text is compared, exactly, with the kept text that stands for it: there is no chain of likenesses. The
answer is a function of the texts (and of their ids, where there are any), whatever the order of arrival and the number
of threads. Texts of fewer than five words only ever equal others (the same words and signs); texts that differ in a
number are variants and both kept, for a problem with other numbers is another problem.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels import duplicates
from reasonmill.kernels.texts import Texts


def rank_order(ids: Sequence[str], texts: Sequence[str]) -> NDArray[np.int64]:
    """Indices by ascending id, then text: the order in which texts claim to be kept, int64 [N]."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    if any(ids[here] == ids[after] for here, after in pairwise(order)):
        order.sort(key=lambda index: (ids[index], texts[index]))
    return np.array(order, np.int64)


def near_duplicates(
    texts: Texts,
    threshold: float = 0.8,
    *,
    order: NDArray[np.int64] | None = None,
    num_threads: int = 0,
) -> NDArray[np.int64]:
    """Index of the text that stands for each text, its own when it is kept, int64 [N].

    `order` int64 [N] is a permutation: earlier ones claim to be kept first. Without it the claim depends on content
    alone, so that a shuffled input keeps the same texts; of identical texts the first is kept.
    Raises ValueError for another order, a threshold outside (0, 1] or a negative number of threads, TypeError for what
    is no sequence of texts (a single one is not).
    """
    return duplicates.near_duplicates(texts, threshold, order=order, num_threads=num_threads)[0]
