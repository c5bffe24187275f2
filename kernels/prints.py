"""What one walk over a text leaves behind for deduplication, for many texts at once, and as arrays that can be kept."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Prints:
    """Of N texts, L of them long. A band key of 0 is none.

    `keys` uint64 [N, 2]: of the token sequence, or of the bytes where a text has no token. `quantities` uint64 [N]:
    hash of the multiset of numbers and signs. `num_words` uint32 [N]. `band_keys` uint64 [bands, N]: of MinHash, none
    for texts too short or too long for it. `long_texts` uint32 [L], ascending: texts of more than LONG_TEXT n-grams;
    `long_keys` uint64 [bands, L]: their keys by one-permutation hashing.
    """

    keys: NDArray[np.uint64]
    quantities: NDArray[np.uint64]
    num_words: NDArray[np.uint32]
    band_keys: NDArray[np.uint64]
    long_texts: NDArray[np.uint32]
    long_keys: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.quantities)

    def of(self, texts: NDArray[np.int64]) -> "Prints":
        """Those of some of the texts, given ascending."""
        among = np.isin(self.long_texts, texts)
        return Prints(
            keys=self.keys[texts],
            quantities=self.quantities[texts],
            num_words=self.num_words[texts],
            band_keys=np.ascontiguousarray(self.band_keys[:, texts]),
            long_texts=np.searchsorted(texts, self.long_texts[among]).astype(np.uint32),
            long_keys=np.ascontiguousarray(self.long_keys[:, among]),
        )

    @staticmethod
    def joined(parts: "list[Prints]", bands: int) -> "Prints":
        """Of the texts of all parts, one after the other. The list is emptied, so that nothing is held twice."""
        starts = np.cumsum([0, *map(len, parts)])
        band_keys = np.empty((bands, int(starts[-1])), np.uint64)
        for place, start in enumerate(starts[:-1].tolist()):
            part = parts[place]
            band_keys[:, start : start + len(part)] = part.band_keys
            parts[place] = replace(part, band_keys=part.band_keys[:, :0].copy())
        long_texts = [part.long_texts + np.uint32(start) for part, start in zip(parts, starts[:-1], strict=True)]
        whole = Prints(
            keys=np.concatenate([np.empty((0, 2), np.uint64), *(part.keys for part in parts)]),
            quantities=np.concatenate([np.empty(0, np.uint64), *(part.quantities for part in parts)]),
            num_words=np.concatenate([np.empty(0, np.uint32), *(part.num_words for part in parts)]),
            band_keys=band_keys,
            long_texts=np.concatenate([np.empty(0, np.uint32), *long_texts]),
            long_keys=np.concatenate([np.empty((bands, 0), np.uint64), *(part.long_keys for part in parts)], axis=1),
        )
        parts.clear()
        return whole
