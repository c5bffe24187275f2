"""RMSNorm of hidden states, optionally of their sum with the residual stream, which is then given back beside it.

On a GPU one Triton launch each way; elsewhere, and as the slow twin, torch. Rounds as transformers' Qwen2 and Qwen3 do.
"""

from typing import Any

import torch
from torch import Tensor


def rms_norm(
    x: Tensor, scale_H: Tensor, eps: float, residual: Tensor | None = None, *, triton: bool | None = None
) -> tuple[Tensor, Tensor]:
    """Normed rows, and the rows that were normed (`x + residual`), each [..., H] like `x`.

    `triton` overrides the choice by device.
    """
    if x.shape[-1] != scale_H.shape[0] or (residual is not None and residual.shape != x.shape):
        raise ValueError(f"x {tuple(x.shape)}, scale {tuple(scale_H.shape)}, residual: expected [..., H] and [H]")
    if not (x.is_cuda if triton is None else triton):
        return rms_norm_reference(x, scale_H, eps, residual)
    rows = x.reshape(-1, x.shape[-1])
    rest = None if residual is None else residual.reshape(rows.shape)
    normed, total = _RMSNorm.apply(rows, rest, scale_H, eps)
    return normed.view(x.shape), total.view(x.shape)


def rms_norm_reference(x: Tensor, scale_H: Tensor, eps: float, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The same in torch's operators."""
    total = x if residual is None else x + residual
    wide = total.to(torch.promote_types(x.dtype, torch.float32))
    unit = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return unit.to(x.dtype) * scale_H, total


class _RMSNorm(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Tensor | None, scale: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        from reasonmill.kernels.gpu import rms_norm as kernel

        normed, total, inverse = kernel.forward(x, residual, scale, eps)
        ctx.save_for_backward(total, scale, inverse)
        ctx.added = residual is not None
        return normed, total.view_as(total) if residual is None else total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_normed: Tensor, grad_total: Tensor) -> tuple[Tensor | None, ...]:
        from reasonmill.kernels.gpu import rms_norm as kernel

        grad_x, grad_scale = kernel.backward(grad_normed, grad_total, *ctx.saved_tensors)
        return grad_x, grad_x if ctx.added else None, grad_scale, None
