"""What of an index of evaluation items stands in texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """Of N texts: the distinct known n-grams of text i are `numbers`[offset[i] : offset[i + 1]], ascending, uint32;
    `offset` int64 [N + 1]. `contained` int64 [M, 2]: pairs (text, item), ascending, where the item's whole token
    sequence stands in the text; items of fewer tokens than the corpus was told only where they are the whole text.
    """

    offset: NDArray[np.int64]
    numbers: NDArray[np.uint32]
    contained: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> "Matches":
        """The same with nothing found in the other texts."""
        counts = np.diff(self.offset)
        offset = np.concatenate(([0], np.cumsum(np.where(chosen, counts, 0)))).astype(np.int64)
        numbers = self.numbers[np.repeat(chosen, counts)]
        return Matches(offset=offset, numbers=numbers, contained=self.contained[chosen[self.contained[:, 0]]])

    @staticmethod
    def joined(parts: "Sequence[Matches]") -> "Matches":
        """Of the texts of all parts, one after the other."""
        offsets, contained, num_texts, num_found = [np.zeros(1, np.int64)], [NO_MATCHES.contained], 0, 0
        for part in parts:
            offsets.append(part.offset[1:] + num_found)
            contained.append(part.contained + np.array([num_texts, 0]))
            num_texts += len(part.offset) - 1
            num_found += len(part.numbers)
        return Matches(
            offset=np.concatenate(offsets),
            numbers=np.concatenate([NO_MATCHES.numbers, *(part.numbers for part in parts)]),
            contained=np.concatenate(contained),
        )


NO_MATCHES = Matches(offset=np.zeros(1, np.int64), numbers=np.empty(0, np.uint32), contained=np.empty((0, 2), np.int64))
