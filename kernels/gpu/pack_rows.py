"""Documents laid end to end into a micro-batch: one launch over fixed tiles of the destination, whatever their lengths.

Every slot finds its document by binary search in the cumulated lengths, so ragged documents leave no program idle. The
slow twin is kernels/pack_rows_reference.py.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # slots a program writes; 32 programs for a row of 32,768
NUM_WARPS = 4


@triton.jit(do_not_specialize=["num_documents", "pad_id"])  # they change from batch to batch
def pack_kernel(
    tokens,
    target_bits,
    first_token,
    first_mask_byte,
    document_weights,
    cu_seqlens,
    input_ids,
    position_ids,
    labels,
    weights,
    document_ids,
    num_documents,
    num_slots,
    pad_id,
    IGNORED: tl.constexpr,
    SEARCH_STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A tile of slots a program."""
    slots = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = slots < num_slots
    # the last document that starts at or before the slot; number `num_documents` stands for the padding behind them all
    low = tl.zeros((BLOCK,), tl.int32)
    high = tl.zeros((BLOCK,), tl.int32) + num_documents
    for _ in range(SEARCH_STEPS):
        middle = (low + high + 1) // 2
        start = tl.load(cu_seqlens + middle, mask=inside, other=0)
        before = start <= slots
        low = tl.where(before, middle, low)
        high = tl.where(before, high, middle - 1)
    start = tl.load(cu_seqlens + low, mask=inside, other=0)
    end = tl.load(cu_seqlens + low + 1, mask=inside, other=0)
    real = inside & (low < num_documents)
    position = slots - start
    source = tl.load(first_token + low, mask=real, other=0) + position
    token = tl.load(tokens + source, mask=real, other=0)
    next_is_own = real & (slots + 1 < end)
    next_token = tl.load(tokens + source + 1, mask=next_is_own, other=0)
    byte = tl.load(first_mask_byte + low, mask=real, other=0) + (position + 1) // 8
    bits = tl.load(target_bits + byte, mask=next_is_own, other=0).to(tl.int32)
    target = next_is_own & (((bits >> ((position + 1) % 8)) & 1) == 1)
    weight = tl.load(document_weights + low, mask=real, other=0.0)
    tl.store(input_ids + slots, tl.where(real, token, pad_id).to(input_ids.dtype.element_ty), mask=inside)
    tl.store(position_ids + slots, position.to(position_ids.dtype.element_ty), mask=inside)
    tl.store(labels + slots, tl.where(target, next_token, IGNORED).to(labels.dtype.element_ty), mask=inside)
    tl.store(weights + slots, tl.where(target, weight, 0.0), mask=inside)
    tl.store(document_ids + slots, tl.where(real, low, -1), mask=inside)


def pack_rows(
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
    out: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Input ids, position ids, labels (`dtype`), weights (float32) and document numbers (int32) of `num_slots` slots.

    `tokens` int32, `target_bits` uint8, firsts int64; `cu_seqlens` int32, at least num_documents + 2 long, whose entry
    num_documents + 1 is `num_slots`. `out` takes the results, where their addresses must not change (CUDA graphs).
    """
    kinds = (dtype, dtype, dtype, torch.float32, torch.int32)
    if out is None:
        made = [torch.empty(num_slots, dtype=kind, device=tokens.device) for kind in kinds]
        out = (made[0], made[1], made[2], made[3], made[4])
    assert [(len(x), x.dtype) for x in out] == [(num_slots, kind) for kind in kinds], "results of this size and type"
    pack_kernel[(triton.cdiv(num_slots, BLOCK),)](
        tokens,
        target_bits,
        first_token_D,
        first_mask_byte_D,
        weights_D,
        cu_seqlens,
        *out,
        num_documents,
        num_slots,
        pad_id,
        IGNORED=ignored,
        SEARCH_STEPS=len(cu_seqlens).bit_length(),
        BLOCK=BLOCK,
        num_warps=NUM_WARPS,
    )
    return out
