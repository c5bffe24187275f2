"""Rotary positions (arXiv 2104.09864, halves rotated as in transformers' Qwen2) by position id.

The table of angles is made once per run and read by each token's position, so packed rows gather no cosines.
On a GPU one Triton launch turns queries and keys; elsewhere, and as the slow twin, torch.
"""

from typing import Any

import torch
from torch import Tensor


def rope_tables(
    head_dim: int, num_positions: int, theta: float, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of position times frequency, float32 [num_positions, head_dim / 2]."""
    if head_dim < 2 or head_dim % 2:
        raise ValueError(f"head_dim: {head_dim} is not even")
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.arange(num_positions, dtype=torch.float64)[:, None] * frequencies
    return angles.cos().float().to(device), angles.sin().float().to(device)


def rope(
    query_THd: Tensor,
    key_TKd: Tensor,
    position_ids_T: Tensor,
    cosines_Ph: Tensor,
    sines_Ph: Tensor,
    *,
    triton: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Queries and keys turned by their positions. `triton` overrides the choice by device."""
    if query_THd.shape[-1] != 2 * cosines_Ph.shape[-1] or key_TKd.shape[-1] != query_THd.shape[-1]:
        raise ValueError(
            f"query {tuple(query_THd.shape)}, key {tuple(key_TKd.shape)} and table {tuple(cosines_Ph.shape)}: "
            "heads must be twice as wide as the table"
        )
    if query_THd.is_cuda if triton is None else triton:
        query, key = _Rope.apply(query_THd, key_TKd, position_ids_T, cosines_Ph, sines_Ph)
        return query, key
    return rope_reference(query_THd, key_TKd, position_ids_T, cosines_Ph, sines_Ph)


def rope_reference(
    query_THd: Tensor, key_TKd: Tensor, position_ids_T: Tensor, cosines_Ph: Tensor, sines_Ph: Tensor
) -> tuple[Tensor, Tensor]:
    """The same in torch's operators, in float32 or wider."""
    c, s = (table[position_ids_T.long()][:, None] for table in (cosines_Ph, sines_Ph))

    def turned(x: Tensor) -> Tensor:
        a, b = x.to(torch.promote_types(x.dtype, torch.float32)).chunk(2, -1)
        return torch.cat((a * c - b * s, b * c + a * s), -1).to(x.dtype)

    return turned(query_THd), turned(key_TKd)


class _Rope(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, position_ids: Tensor, c: Tensor, s: Tensor
    ) -> tuple[Tensor, Tensor]:
        from reasonmill.kernels.gpu.rope import rotate

        ctx.save_for_backward(position_ids, c, s)
        return rotate(query, key, position_ids, c, s, backward=False)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_query: Tensor, grad_key: Tensor) -> tuple[Tensor | None, ...]:
        from reasonmill.kernels.gpu.rope import rotate

        return *rotate(grad_query, grad_key, *ctx.saved_tensors, backward=True), None, None, None
