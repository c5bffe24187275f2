"""Rotary positions of queries and keys in one launch, by each token's own position; the twin is in kernels/rope.py."""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def rotate_heads(
    source, out, row_in, row_out, stride_head, num_heads, half, c, s, HEADS: tl.constexpr, HALF: tl.constexpr
):
    """Turn the heads of one token: pairs are an element of the first half and one of the second."""
    heads = tl.arange(0, HEADS)[:, None]
    columns = tl.arange(0, HALF)[None, :]
    inside = (heads < num_heads) & (columns < half)
    first = row_in + heads * stride_head + columns
    a = tl.load(source + first, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(source + first + half, mask=inside, other=0.0).to(tl.float32)
    to = row_out + heads * (2 * half) + columns
    tl.store(out + to, (a * c - b * s).to(out.dtype.element_ty), mask=inside)
    tl.store(out + to + half, (b * c + a * s).to(out.dtype.element_ty), mask=inside)


@triton.jit
def rope_kernel(
    query,
    key,
    position_ids,
    cosines,
    sines,
    query_out,
    key_out,
    query_row,
    query_head,
    key_row,
    key_head,
    num_query_heads,
    num_key_heads,
    half,
    BACKWARD: tl.constexpr,
    QUERY_HEADS: tl.constexpr,
    KEY_HEADS: tl.constexpr,
    HALF: tl.constexpr,
):
    """All heads of a token a program."""
    token = tl.program_id(0).to(tl.int64)
    position = tl.load(position_ids + token).to(tl.int64)
    columns = tl.arange(0, HALF)[None, :]
    c = tl.load(cosines + position * half + columns, mask=columns < half, other=0.0)
    s = tl.load(sines + position * half + columns, mask=columns < half, other=0.0)
    if BACKWARD:
        s = -s  # the transpose of a rotation turns back
    rotate_heads(
        query,
        query_out,
        token * query_row,
        token * num_query_heads * half * 2,
        query_head,
        num_query_heads,
        half,
        c,
        s,
        QUERY_HEADS,
        HALF,
    )
    rotate_heads(
        key,
        key_out,
        token * key_row,
        token * num_key_heads * half * 2,
        key_head,
        num_key_heads,
        half,
        c,
        s,
        KEY_HEADS,
        HALF,
    )


def rotate(
    query_THd: Tensor,
    key_TKd: Tensor,
    position_ids_T: Tensor,
    cosines_Ph: Tensor,
    sines_Ph: Tensor,
    *,
    backward: bool,
) -> tuple[Tensor, Tensor]:
    """Rotated copies, [T, H, d] and [T, K, d], contiguous. Tables are float32 [P, d / 2]. Backward turns back."""
    query, key = (x if x.stride(-1) == 1 else x.contiguous() for x in (query_THd, key_TKd))
    outs = [torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in (query, key)]
    num_tokens, num_query_heads, head_dim = query.shape
    if num_tokens:
        rope_kernel[(num_tokens,)](
            query,
            key,
            position_ids_T,
            cosines_Ph,
            sines_Ph,
            *outs,
            query.stride(0),
            query.stride(1),
            key.stride(0),
            key.stride(1),
            num_query_heads,
            key.shape[1],
            head_dim // 2,
            BACKWARD=backward,
            QUERY_HEADS=triton.next_power_of_2(num_query_heads),
            KEY_HEADS=triton.next_power_of_2(key.shape[1]),
            HALF=triton.next_power_of_2(head_dim // 2),
            num_warps=4,
        )
    return outs[0], outs[1]
