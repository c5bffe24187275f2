"""Best match of every query in a set of vectors, without the matrix of scores; the slow twin is in kernels/top1.py."""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Tile of queries x candidates x dimensions; `make gpu-check` measures it (figure top1.tflops).
BLOCK_M, BLOCK_N, BLOCK_K = 128, 128, 64
NUM_WARPS, NUM_STAGES = 8, 3


@triton.jit
def top1_kernel(
    queries,
    candidates,
    best_scores,
    best_indices,
    num_queries,
    num_candidates,
    width,
    per_split,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    WIDEN: tl.constexpr,
):
    """A program has a block of queries and a share of the candidates; its best go to a column of their own."""
    rows = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)
    split = tl.program_id(1)
    first = split * per_split
    last = tl.minimum(first + per_split, num_candidates)
    depth = tl.arange(0, BLOCK_K)
    score = tl.full((BLOCK_M,), -float("inf"), tl.float32)
    index = tl.full((BLOCK_M,), -1, tl.int32)
    for start in range(first, last, BLOCK_N):
        others = start + tl.arange(0, BLOCK_N)
        far = others.to(tl.int64)
        product = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        for k in range(0, width, BLOCK_K):
            deep = k + depth
            a = tl.load(
                queries + rows[:, None] * width + deep[None, :],
                mask=(rows[:, None] < num_queries) & (deep[None, :] < width),
                other=0.0,
            )
            b = tl.load(
                candidates + far[None, :] * width + deep[:, None],
                mask=(others[None, :] < last) & (deep[:, None] < width),
                other=0.0,
            )
            if WIDEN:
                a, b = a.to(tl.float32), b.to(tl.float32)
            product = tl.dot(a, b, product, input_precision="ieee")
        product = tl.where(others[None, :] < last, product, -float("inf"))
        found, where = tl.max(product, axis=1, return_indices=True, return_indices_tie_break_left=True)
        better = found > score  # strictly: of equal scores the first candidate stays
        score = tl.where(better, found, score)
        index = tl.where(better, start + where, index)
    place = split.to(tl.int64) * num_queries + rows
    tl.store(best_scores + place, score, mask=rows < num_queries)
    tl.store(best_indices + place, index, mask=rows < num_queries)


def top1(queries_MD: Tensor, candidates_ND: Tensor, *, splits: int | None = None) -> tuple[Tensor, Tensor]:
    """Highest inner product float32[M] and its candidate int64[M], the first of equals; both inputs contiguous."""
    num_queries, width = queries_MD.shape
    num_candidates = len(candidates_ND)
    blocks = triton.cdiv(num_queries, BLOCK_M)
    if splits is None:  # few queries: the candidates are shared out until every multiprocessor has two programs
        processors = torch.cuda.get_device_properties(queries_MD.device).multi_processor_count
        splits = max(1, min(triton.cdiv(2 * processors, blocks), triton.cdiv(num_candidates, BLOCK_N)))
    per_split = triton.cdiv(triton.cdiv(num_candidates, splits), BLOCK_N) * BLOCK_N
    splits = triton.cdiv(num_candidates, per_split)
    scores = torch.empty((splits, num_queries), dtype=torch.float32, device=queries_MD.device)
    indices = torch.empty((splits, num_queries), dtype=torch.int32, device=queries_MD.device)
    top1_kernel[(blocks, splits)](
        queries_MD,
        candidates_ND,
        scores,
        indices,
        num_queries,
        num_candidates,
        width,
        per_split,
        BLOCK_M=BLOCK_M,
        BLOCK_N=BLOCK_N,
        BLOCK_K=BLOCK_K,
        WIDEN=triton.knobs.runtime.interpret,  # Triton's interpreter multiplies bfloat16 as if its bits were integers
        num_warps=NUM_WARPS,
        num_stages=NUM_STAGES,
    )
    if splits == 1:
        return scores[0], indices[0].long()
    best = scores.max(0).values
    # of equal scores the lowest split, which has the lowest candidates
    winner = (scores == best).to(torch.int8).argmax(0, keepdim=True)
    return best, indices.gather(0, winner)[0].long()
