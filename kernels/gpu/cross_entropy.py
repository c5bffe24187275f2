"""Cross entropy of rows of logits, and its gradient written over them: one launch, one program a row, two passes.

The slow twin is `cross_entropy_reference` in kernels/cross_entropy.py. Arithmetic is float32 whatever the logits are.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Columns a program reads at a time, and its warps: `make gpu-check` sweeps them (figures loss.rows_*).
BLOCK = 4096
NUM_WARPS = 8


@triton.jit
def rows_kernel(
    logits,
    labels,
    weights,
    losses,
    lses,
    row_stride,
    num_columns,
    softcap,
    smoothing,
    SOFTCAP: tl.constexpr,
    SMOOTHING: tl.constexpr,
    FORWARD: tl.constexpr,
    GRADIENT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """FORWARD writes loss and log-sum-exp of a row; without it the latter is read. GRADIENT overwrites the logits."""
    row = tl.program_id(0).to(tl.int64)
    base = logits + row * row_stride  # 64 bits: rows times columns can pass 2^31
    label = tl.load(labels + row)
    weight = tl.load(weights + row)
    offsets = tl.arange(0, BLOCK)
    if FORWARD:
        known = (label >= 0) & (label < num_columns)
        target = tl.load(base + label, mask=known, other=0.0).to(tl.float32)
        if SOFTCAP:
            target = softcap * (2.0 * tl.sigmoid(2.0 * target / softcap) - 1.0)
        # every lane keeps a maximum and a sum of its own: no barrier inside the loop
        highest = tl.full((BLOCK,), -1.0e30, tl.float32)
        total = tl.zeros((BLOCK,), tl.float32)
        plain = tl.zeros((BLOCK,), tl.float32)
        for start in range(0, num_columns, BLOCK):
            inside = start + offsets < num_columns
            z = tl.load(base + start + offsets, mask=inside, other=-float("inf")).to(tl.float32)
            if SOFTCAP:
                z = tl.where(inside, softcap * (2.0 * tl.sigmoid(2.0 * z / softcap) - 1.0), -float("inf"))
            if SMOOTHING:
                plain += tl.where(inside, z, 0.0)
            higher = tl.maximum(highest, z)
            total = total * tl.exp(highest - higher) + tl.exp(z - higher)
            highest = higher
        top = tl.max(highest, axis=0)
        lse = top + tl.log(tl.sum(total * tl.exp(highest - top), axis=0))
        loss = lse - target
        if SMOOTHING:
            loss = (1.0 - smoothing) * loss + smoothing * (lse - tl.sum(plain, axis=0) / num_columns)
        tl.store(losses + row, tl.where(known, loss * weight, float("nan")))
        tl.store(lses + row, lse)
    else:
        lse = tl.load(lses + row)
    if GRADIENT:
        tl.debug_barrier()  # no warp may overwrite the target's logit before every warp has read it
        for start in range(0, num_columns, BLOCK):
            columns = start + offsets
            inside = columns < num_columns
            z = tl.load(base + columns, mask=inside, other=0.0).to(tl.float32)
            if SOFTCAP:
                capped = 2.0 * tl.sigmoid(2.0 * z / softcap) - 1.0
                z = softcap * capped
            gradient = tl.exp(z - lse)
            if SMOOTHING:
                gradient -= tl.where(columns == label, 1.0 - smoothing, 0.0) + smoothing / num_columns
            else:
                gradient -= tl.where(columns == label, 1.0, 0.0)
            if SOFTCAP:
                gradient *= 1.0 - capped * capped
            tl.store(base + columns, (gradient * weight).to(logits.dtype.element_ty), mask=inside)


def cross_entropy_rows(
    logits_NV: Tensor,
    labels_N: Tensor,
    weights_N: Tensor,
    *,
    softcap: float = 0.0,
    label_smoothing: float = 0.0,
    gradient: bool,
    lse_N: Tensor | None = None,
    block: int = BLOCK,
    num_warps: int = NUM_WARPS,
) -> tuple[Tensor, Tensor]:
    """Weighted losses and log-sum-exps, float32[N]. With `gradient` the logits become their weighted gradient.

    `lse_N`, when given, is taken as known: no losses are computed, the returned ones are not to be read. A label that
    is no column makes its loss NaN.
    """
    num_rows, num_columns = logits_NV.shape
    assert num_columns == 1 or logits_NV.stride(1) == 1, "columns lie side by side"
    losses = torch.empty(num_rows, dtype=torch.float32, device=logits_NV.device)
    lses = torch.empty_like(losses) if lse_N is None else lse_N
    if num_rows:
        rows_kernel[(num_rows,)](
            logits_NV,
            labels_N,
            weights_N,
            losses,
            lses,
            logits_NV.stride(0),
            num_columns,
            softcap,
            label_smoothing,
            SOFTCAP=softcap > 0.0,
            SMOOTHING=label_smoothing > 0.0,
            FORWARD=lse_N is None,
            GRADIENT=gradient,
            BLOCK=min(block, triton.next_power_of_2(num_columns)),
            num_warps=num_warps,
        )
    return losses, lses
