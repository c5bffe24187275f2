"""silu(gate) * up of a gated feed-forward layer; nothing but gate and up is kept for the backward pass.

On a GPU one Triton launch each way; elsewhere, and as the slow twin, torch.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def swiglu(gate: Tensor, up: Tensor, *, triton: bool | None = None) -> Tensor:
    """Of two tensors of one shape and type. `triton` overrides the choice by device."""
    if gate.shape != up.shape or gate.dtype != up.dtype:
        raise ValueError(f"gate {gate.dtype} {tuple(gate.shape)} and up {up.dtype} {tuple(up.shape)} differ")
    if not (gate.is_cuda if triton is None else triton):
        return swiglu_reference(gate, up)
    out: Tensor = _SwiGLU.apply(gate.contiguous(), up.contiguous())
    return out


def swiglu_reference(gate: Tensor, up: Tensor) -> Tensor:
    """The same in torch's operators."""
    return functional.silu(gate) * up


class _SwiGLU(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        from reasonmill.kernels.gpu import swiglu as kernel

        ctx.save_for_backward(gate, up)
        return kernel.forward(gate, up)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor, Tensor]:
        from reasonmill.kernels.gpu import swiglu as kernel

        return kernel.backward(grad_out, *ctx.saved_tensors)
