"""For each query vector the best of a set: its score and its index, without holding all scores.

What decontamination asks of embeddings: how close is the nearest question of the evaluation sets. On a GPU one Triton
launch; elsewhere, and as the slow twin, torch over blocks.
"""

import torch
from torch import Tensor

_BLOCK_SCORES = 2**22  # scores held at once by the torch path: 16 MiB of float32


def top1(queries_MD: Tensor, candidates_ND: Tensor, *, triton: bool | None = None) -> tuple[Tensor, Tensor]:
    """Highest inner product float32[M] and the candidate that has it int64[M], the first of equals.

    Products are accumulated in float32. `triton` overrides the choice by device. Raises ValueError for shapes or types
    that do not fit, or without candidates.
    """
    if queries_MD.ndim != 2 or candidates_ND.ndim != 2 or queries_MD.shape[1] != candidates_ND.shape[1]:
        raise ValueError(
            f"queries {tuple(queries_MD.shape)} and candidates {tuple(candidates_ND.shape)}: expected [M, D] and [N, D]"
        )
    if queries_MD.dtype != candidates_ND.dtype:
        raise ValueError(f"queries are {queries_MD.dtype}, candidates {candidates_ND.dtype}")
    if not 1 <= len(candidates_ND) < 2**31:
        raise ValueError(f"candidates: {len(candidates_ND)}, expected 1 to 2^31 - 1")
    if (queries_MD.is_cuda if triton is None else triton) and len(queries_MD):
        from reasonmill.kernels.gpu.top1 import top1 as kernel

        return kernel(queries_MD.contiguous(), candidates_ND.contiguous())
    return top1_reference(queries_MD, candidates_ND)


def top1_reference(queries_MD: Tensor, candidates_ND: Tensor) -> tuple[Tensor, Tensor]:
    """The same in torch's operators, a block of queries at a time."""
    scores = torch.empty(len(queries_MD), dtype=torch.float32, device=queries_MD.device)
    indices = torch.empty(len(queries_MD), dtype=torch.int64, device=queries_MD.device)
    candidates = candidates_ND.float()
    size = max(1, _BLOCK_SCORES // len(candidates))
    for start in range(0, len(queries_MD), size):
        block = queries_MD[start : start + size].float() @ candidates.t()
        found = block.argmax(1)  # the first of equals; max(1) promises none
        indices[start : start + size] = found
        scores[start : start + size] = block.gather(1, found[:, None])[:, 0]
    return scores, indices
