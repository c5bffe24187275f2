"""Which of many unit vectors is the nearest: a fast product in bfloat16 proposes, an exact one decides.

On a GPU the proposal is the Triton top-1 kernel (kernels/top1.py), on a CPU a bfloat16 product and its maximum. Cosines
that could lie above the floor are computed again in float64 and rounded, so that an answer depends neither on the
device nor on the blocks in which the work was done.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of a proposed cosine. Rounding two unit vectors of 384 or 1,024 dimensions to bfloat16, and their product, moved none
# of 200,000 random pairs near 0.9 by more than 0.0026; three times that. On a CPU, 384 dimensions, 1,615 items: 8 us
# per query, 14 us in float32.
MARGIN = 0.008
DECIMALS = 6  # exact cosines are rounded to this, so that equal means equal
_BLOCK_SCORES = 2**23  # scores that are held at once: 16 MiB of bfloat16


class Candidates:
    """The vectors among which the nearest is looked for, on the device that looks."""

    def __init__(self, vectors_ID: NDArray[np.float32], device: str) -> None:  # noqa: N803  # I items, D dimensions
        import torch

        self._torch = torch
        self._exact_ID = vectors_ID.astype(np.float64)
        self._rough_ID = torch.from_numpy(np.ascontiguousarray(vectors_ID)).to(device, torch.bfloat16)

    def nearest(
        self,
        queries_QD: NDArray[np.float32],  # noqa: N803
        floor: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For each query the first of the items with the greatest cosine, int64 [Q], and that cosine, float64 [Q].

        Exact where the cosine is above `floor`; elsewhere both are as bfloat16 sees them, and not above `floor`.
        """
        rough = self._torch.from_numpy(np.ascontiguousarray(queries_QD)).to(self._rough_ID.device, self._rough_ID.dtype)
        scores, items = self._propose(rough)
        best, cosines = items.cpu().numpy(), np.minimum(scores.double().cpu().numpy(), floor)
        for row in np.flatnonzero(scores.double().cpu().numpy() > floor - MARGIN).tolist():
            exact = np.round(self._exact_ID @ queries_QD[row].astype(np.float64), DECIMALS)
            best[row] = exact.argmax()
            cosines[row] = exact[best[row]]
        return best, cosines

    def _propose(self, rough_QD: Any) -> tuple[Any, Any]:  # noqa: N803
        if rough_QD.is_cuda:
            from reasonmill.kernels.top1 import top1

            return top1(rough_QD, self._rough_ID)
        size = max(1, _BLOCK_SCORES // len(self._rough_ID))
        found = [(block @ self._rough_ID.t()).max(1) for block in rough_QD.split(size)]
        scores = self._torch.cat([values for values, _ in found]) if found else self._torch.empty(0)
        items = self._torch.cat([indices for _, indices in found]) if found else self._torch.empty(0).long()
        return scores, items
