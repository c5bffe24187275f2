"""Twin of the pack kernel in torch operators over all slots at once; the same bits."""

import torch
from torch import Tensor


def pack_rows_reference(
    tokens: Tensor,
    target_bits: Tensor,
    first_token_D: Tensor,
    first_mask_byte_D: Tensor,
    weights_D: Tensor,
    cu_seqlens: Tensor,
    *,
    num_documents: int,
    num_slots: int,
    pad_id: int,
    ignored: int,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Arguments and results as of kernels/gpu/pack_rows.py: input ids, positions, labels, weights, document numbers."""
    slots = torch.arange(num_slots, device=tokens.device)
    starts = cu_seqlens[: num_documents + 1].long()
    number = torch.searchsorted(starts, slots, right=True) - 1
    position = slots - starts[number]
    real = number < num_documents
    if num_documents == 0:
        nothing = torch.full_like(slots, ignored).to(dtype)
        none = torch.zeros(num_slots, dtype=torch.float32, device=tokens.device)
        return torch.full_like(nothing, pad_id), position.to(dtype), nothing, none, torch.full_like(number.int(), -1)
    own = number.clamp(max=num_documents - 1)
    source = (first_token_D[own] + position).clamp(0, len(tokens) - 1)
    token = torch.where(real, tokens[source].long(), pad_id)
    has_next = real & (slots + 1 < cu_seqlens[number + 1])
    following = tokens[(source + 1).clamp(max=len(tokens) - 1)].long()
    byte = (first_mask_byte_D[own] + (position + 1) // 8).clamp(0, len(target_bits) - 1)
    bit = (target_bits[byte].int() >> ((position + 1) % 8)) & 1
    target = has_next & (bit == 1)
    return (
        token.to(dtype),
        position.to(dtype),
        torch.where(target, following, ignored).to(dtype),
        torch.where(target, weights_D[own], 0.0),
        torch.where(real, number, -1).int(),
    )
