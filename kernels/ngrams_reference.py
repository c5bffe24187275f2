"""Twin of csrc/core/ngram_index.cpp: which items of an evaluation set a text repeats."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reasonmill.kernels.hashes_reference import gram_hashes
from reasonmill.kernels.tokens import tokenize


class NgramIndex:
    """N-grams, and whole token sequences, of items. Counterpart of the native class of the same name."""

    def __init__(self, items: Sequence[str], ngram: int, short_ngram: int, short_tokens: int) -> None:
        self._sizes = {ngram, short_ngram}
        self._ngram, self._short_ngram, self._short_tokens = ngram, short_ngram, short_tokens
        self._tokens = [_token_hashes(item) for item in items]
        per_item = [
            np.unique(gram_hashes(hashes, short_ngram if len(hashes) < short_tokens else ngram))
            for hashes in self._tokens
        ]
        self.grams: NDArray[np.uint64] = np.unique(np.concatenate([*per_item, np.empty(0, np.uint64)]))
        self.item_offset = np.cumsum([0, *map(len, per_item)]).astype(np.uint64)
        numbers = [np.searchsorted(self.grams, hashes) for hashes in per_item]
        self.item_grams = np.concatenate([*numbers, np.empty(0, np.uint32)]).astype(np.uint32)
        self._items_of: dict[int, list[int]] = defaultdict(list)
        for item, of_item in enumerate(numbers):
            for number in of_item:
                self._items_of[int(number)].append(item)

    def found(self, text: str) -> NDArray[np.int64]:
        """Numbers of the distinct known n-grams of a text, ascending, int64 [M]."""
        tokens = _token_hashes(text)
        hashes = np.concatenate([gram_hashes(tokens, size) for size in self._sizes])
        return np.flatnonzero(np.isin(self.grams, hashes))

    def densest(
        self, texts: Sequence[str], items: NDArray[np.int64], weights: NDArray[np.uint32], stretch: float
    ) -> NDArray[np.uint64]:
        """Greatest weight of n-grams of an item close together in a text, for each text and its item, uint64 [M]."""
        pairs = zip(texts, items.tolist(), strict=True)
        return np.array([self._densest(text, item, weights, stretch) for text, item in pairs], np.uint64)

    def _densest(self, text: str, item: int, weights: NDArray[np.uint32], stretch: float) -> int:
        num_tokens = len(self._tokens[item])
        size = self._short_ngram if num_tokens < self._short_tokens else self._ngram
        known = set(self.item_grams[int(self.item_offset[item]) : int(self.item_offset[item + 1])].tolist())
        numbers = {int(self.grams[number]): number for number in known}
        hits = [(at, numbers.get(int(h))) for at, h in enumerate(gram_hashes(_token_hashes(text), size))]
        found = [(at, number) for at, number in hits if number is not None]
        best, reach = 0, int(stretch * num_tokens)
        for last, (end, _) in enumerate(found):
            within = {number for at, number in found[: last + 1] if end - at <= reach}
            best = max(best, sum(int(weights[number]) for number in within))
        return best

    def overlaps(
        self, offset: NDArray[np.int64], numbers: NDArray[np.uint32], weights: NDArray[np.uint32], least_share: float
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Pairs (text, item, matched n-grams) int64 [M, 3] and weight sums (matched, all) uint64 [M, 2]."""
        spans = list(zip(map(int, self.item_offset[:-1]), map(int, self.item_offset[1:]), strict=True))
        totals = [int(weights[self.item_grams[first:last]].sum(dtype=np.uint64)) for first, last in spans]
        pairs: list[tuple[int, int, int]] = []
        sums: list[tuple[int, int]] = []
        for row in range(len(offset) - 1):
            matched: dict[int, list[int]] = defaultdict(list)
            for number in map(int, numbers[offset[row] : offset[row + 1]]):
                for item in self._items_of[number]:
                    matched[item].append(int(weights[number]))
            for item, of_item in sorted(matched.items()):
                if 0 < sum(of_item) >= least_share * totals[item]:
                    pairs.append((row, item, len(of_item)))
                    sums.append((sum(of_item), totals[item]))
        return np.array(pairs, np.int64).reshape(-1, 3), np.array(sums, np.uint64).reshape(-1, 2)

    def containments(self, texts: Sequence[str], least_tokens: int) -> NDArray[np.int64]:
        """Pairs (text, item) int64 [M, 2] where the item's tokens stand in the text one after the other."""
        pairs = []
        for row, text in enumerate(texts):
            hashes = _token_hashes(text)
            for item, wanted in enumerate(self._tokens):
                if not wanted or (len(wanted) < least_tokens and len(wanted) != len(hashes)):
                    continue
                starts = range(len(hashes) - len(wanted) + 1)
                if any(hashes[at : at + len(wanted)] == wanted for at in starts):
                    pairs.append((row, item))
        return np.array(pairs, np.int64).reshape(-1, 2)


def _token_hashes(text: str) -> list[int]:
    return [token.hash for token in tokenize(text)]
