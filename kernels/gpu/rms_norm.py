"""RMSNorm of rows, with the residual addition before it in the same pass, forward and backward.

The slow twin is `rms_norm_reference` in kernels/rms_norm.py, whose roundings it repeats: the normed value is rounded to
the row's type, then scaled.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

# Rows of the backward are shared out over this many programs, each of which sums its part of the scale's gradient.
PROGRAMS = 264  # two for each of the 132 multiprocessors of an H100 or H200


@triton.jit
def forward_kernel(
    x,
    residual,
    scale,
    normed,
    total,
    inverse_rms,
    row_stride,
    width,
    eps,
    RESIDUAL: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One row a program."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    value = tl.load(x + row * row_stride + columns, mask=inside, other=0.0).to(tl.float32)
    if RESIDUAL:
        value += tl.load(residual + row * width + columns, mask=inside, other=0.0).to(tl.float32)
        rounded = value.to(total.dtype.element_ty)
        tl.store(total + row * width + columns, rounded, mask=inside)
        value = rounded.to(tl.float32)  # what the next layer sees is what is normed
    inverse = 1.0 / tl.sqrt(tl.sum(value * value, axis=0) / width + eps)
    tl.store(inverse_rms + row, inverse)
    factor = tl.load(scale + columns, mask=inside, other=0.0).to(tl.float32)
    unit = (value * inverse).to(normed.dtype.element_ty).to(tl.float32)
    tl.store(normed + row * width + columns, (unit * factor).to(normed.dtype.element_ty), mask=inside)


@triton.jit
def backward_kernel(
    grad_normed,
    grad_total,
    total,
    scale,
    inverse_rms,
    grad_x,
    partial_scale,
    row_stride,
    width,
    num_rows,
    num_programs,
    RESIDUAL: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Every `num_programs`-th row a program, whose part of the scale's gradient stays in registers."""
    program = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    factor = tl.load(scale + columns, mask=inside, other=0.0).to(tl.float32)
    own = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, num_rows - tl.program_id(0), num_programs):
        row = program + start
        upstream = tl.load(grad_normed + row * width + columns, mask=inside, other=0.0).to(tl.float32)
        inverse = tl.load(inverse_rms + row)
        unit = tl.load(total + row * row_stride + columns, mask=inside, other=0.0).to(tl.float32) * inverse
        own += upstream * unit
        scaled = upstream * factor
        gradient = (scaled - unit * (tl.sum(scaled * unit, axis=0) / width)) * inverse
        if RESIDUAL:
            gradient += tl.load(grad_total + row * width + columns, mask=inside, other=0.0).to(tl.float32)
        tl.store(grad_x + row * width + columns, gradient.to(grad_x.dtype.element_ty), mask=inside)
    tl.store(partial_scale + program * width + columns, own, mask=inside)


def _launch(width: int) -> tuple[int, int]:
    block = triton.next_power_of_2(width)
    return block, min(16, max(1, block // 512))  # 16 elements a thread


def forward(x_NH: Tensor, residual_NH: Tensor | None, scale_H: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normed rows, the rows that were normed (x plus residual), and their inverse root mean squares float32[N]."""
    num_rows, width = x_NH.shape
    normed = torch.empty((num_rows, width), dtype=x_NH.dtype, device=x_NH.device)
    total = x_NH if residual_NH is None else torch.empty_like(normed)
    inverse = torch.empty(num_rows, dtype=torch.float32, device=x_NH.device)
    block, warps = _launch(width)
    if num_rows:
        forward_kernel[(num_rows,)](
            x_NH,
            x_NH if residual_NH is None else residual_NH.contiguous(),
            scale_H,
            normed,
            total,
            inverse,
            x_NH.stride(0),
            width,
            eps,
            RESIDUAL=residual_NH is not None,
            BLOCK=block,
            num_warps=warps,
        )
    return normed, total, inverse


def backward(
    grad_normed_NH: Tensor,
    grad_total_NH: Tensor | None,
    total_NH: Tensor,
    scale_H: Tensor,
    inverse_N: Tensor,
    *,
    programs: int = PROGRAMS,
) -> tuple[Tensor, Tensor]:
    """Gradient of x (and of the residual: it is the same) and of the scale."""
    num_rows, width = total_NH.shape
    grad_x = torch.empty((num_rows, width), dtype=total_NH.dtype, device=total_NH.device)
    programs = max(1, min(programs, num_rows))
    partial = torch.empty((programs, width), dtype=torch.float32, device=total_NH.device)
    block, warps = _launch(width)
    backward_kernel[(programs,)](
        grad_normed_NH.contiguous(),
        grad_normed_NH if grad_total_NH is None else grad_total_NH.contiguous(),
        total_NH,
        scale_H,
        inverse_N,
        grad_x,
        partial,
        total_NH.stride(0),
        width,
        num_rows,
        programs,
        RESIDUAL=grad_total_NH is not None,
        BLOCK=block,
        num_warps=warps,
    )
    return grad_x, partial.sum(0).to(scale_H.dtype)
