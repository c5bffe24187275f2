"""Documents laid end to end into a micro-batch of fixed size: ids, positions, shifted labels, loss weights.

Every token keeps its order; positions start anew in each document; the label of a slot is the next token of the same
document where that is a target, else -100, so that no document learns the beginning of the next. Slots left over form
one last document of padding: it attends to itself alone, and nothing of it is a target.
On a GPU this is one copy and one Triton launch a micro-batch, on a CPU numba; `pack_rows_reference` is the slow twin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

IGNORED = -100  # label of a slot that no loss is taken of (torch's cross_entropy default)
_ALIGNMENT = 16  # bytes: parts of the one buffer that is copied to a device start at multiples


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where D documents come from and go to.

    `first_token` int64[D] in a store of tokens, `first_mask_byte` int64[D] in its bit mask (a document starts a byte,
    low bit first). `cu_seqlens` int32[max_documents + 2]: starts of the documents, then of the padding, then the end,
    which fills the rest. `weights` float32[D]: what a target of the document counts.
    """

    first_token: NDArray[np.int64]
    first_mask_byte: NDArray[np.int64]
    cu_seqlens: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def num_documents(self) -> int:
        """D."""
        return len(self.first_token)

    @property
    def num_slots(self) -> int:
        """Slots of the micro-batch, padding included."""
        return int(self.cu_seqlens[-1])

    @property
    def max_seqlen(self) -> int:
        """Length of the longest document or of the padding."""
        return int(np.diff(self.cu_seqlens).max())


@dataclass(frozen=True, kw_only=True)
class PackedBatch:
    """A micro-batch of N slots on one device.

    `input_ids`, `position_ids`, `labels`: int64[N] or int32[N]. `weights` float32[N], 0 where there is no target.
    `document_ids` int32[N], -1 in the padding. `cu_seqlens` int32[max_documents + 2]; `max_seqlen` is a host number.
    """

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    weights: Tensor
    document_ids: Tensor
    cu_seqlens: Tensor
    max_seqlen: int
    num_documents: int


def place(
    lengths: ArrayLike,
    *,
    first_token: ArrayLike | None = None,
    first_mask_byte: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    num_slots: int | None = None,
    max_documents: int | None = None,
) -> Placement:
    """Documents of `lengths` in their order, end to end in the store unless the firsts say otherwise.

    `num_slots` defaults to what they need; `max_documents` fixes the length of cu_seqlens. Raises ValueError for
    lengths below 1, or documents that are too many or too long.
    """
    sizes = np.asarray(lengths)
    if sizes.ndim != 1 or (sizes.size and sizes.dtype.kind not in "iu"):
        raise ValueError(f"lengths: expected a row of integers, not {sizes.dtype} {sizes.shape}")
    sizes = sizes.astype(np.int64)
    if sizes.size and sizes.min() < 1:
        raise ValueError(f"lengths: document {int(sizes.argmin())} has {int(sizes.min())} tokens")
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if sizes.size else 0
    slots = total if num_slots is None else num_slots
    room = len(sizes) if max_documents is None else max_documents
    if not 1 <= slots < 2**31:
        raise ValueError(f"num_slots: {slots} is outside [1, 2^31)")
    if total > slots:
        raise ValueError(f"lengths: {total} tokens do not fit into {slots} slots")
    if len(sizes) > room:
        raise ValueError(f"lengths: {len(sizes)} documents are more than max_documents {room}")
    cu_seqlens = np.full(room + 2, slots, np.int32)
    cu_seqlens[0] = 0
    cu_seqlens[1 : len(sizes) + 1] = ends
    mask_bytes = (sizes + 7) // 8
    return Placement(
        first_token=_row("first_token", first_token, ends - sizes, np.int64),
        first_mask_byte=_row("first_mask_byte", first_mask_byte, np.cumsum(mask_bytes) - mask_bytes, np.int64),
        cu_seqlens=cu_seqlens,
        weights=_row("weights", weights, np.ones(len(sizes)), np.float32),
    )


def pack_rows(
    tokens: NDArray[np.uint32],
    target_bits: NDArray[np.uint8],
    placement: Placement,
    *,
    pad_id: int = 0,
    dtype: torch.dtype = torch.int64,
    device: torch.device | str = "cpu",
) -> PackedBatch:
    """The micro-batch of `placement` from a store of tokens and its mask, which may be memory-mapped.

    Only the bytes of the documents are read. Raises ValueError where a document lies outside the store.
    """
    if dtype not in (torch.int64, torch.int32):
        raise ValueError(f"dtype: {dtype} is neither int64 nor int32")
    tokens, target_bits = np.asarray(tokens), np.asarray(target_bits)
    _check_inside(tokens, target_bits, placement)
    target = torch.device(device)
    if target.type == "cpu":
        from reasonmill.kernels.pack_rows_compiled import pack_compiled

        arrays = pack_compiled(
            tokens,
            target_bits,
            placement.first_token,
            placement.first_mask_byte,
            placement.weights,
            placement.cu_seqlens,
            pad_id,
            np.int64 if dtype == torch.int64 else np.int32,
        )
        outputs = tuple(torch.from_numpy(array) for array in arrays)
        cu_seqlens = torch.from_numpy(placement.cu_seqlens)
    else:
        from reasonmill.kernels.gpu.pack_rows import pack_rows as launch

        store, bits, first_token, first_mask_byte, weights, cu_seqlens = _stage(tokens, target_bits, placement, target)
        outputs = launch(
            store,
            bits,
            first_token,
            first_mask_byte,
            weights,
            cu_seqlens,
            num_documents=placement.num_documents,
            num_slots=placement.num_slots,
            pad_id=pad_id,
            ignored=IGNORED,
            dtype=dtype,
        )
    input_ids, position_ids, labels, weights, document_ids = outputs
    return PackedBatch(
        input_ids=input_ids,
        position_ids=position_ids,
        labels=labels,
        weights=weights,
        document_ids=document_ids,
        cu_seqlens=cu_seqlens,
        max_seqlen=placement.max_seqlen,
        num_documents=placement.num_documents,
    )


def unpack(values_N: Tensor, batch: PackedBatch) -> tuple[Tensor, ...]:
    """The values of each document, in order, as views; what packing left over is left out."""
    ends = batch.cu_seqlens[: batch.num_documents + 1].tolist()
    return tuple(values_N[start:end] for start, end in pairwise(ends))


def document_sums(values_N: Tensor, batch: PackedBatch) -> Tensor:
    """Sum of the values of each document [D], the same bits on every run; gradients flow."""
    starts = batch.cu_seqlens[: batch.num_documents + 1].long()
    offsets = starts if batch.num_documents else starts.new_zeros(1)
    return torch.segment_reduce(values_N, "sum", offsets=offsets, axis=0, initial=0.0)


def _row(name: str, given: ArrayLike | None, default: ArrayLike, dtype: type[np.generic]) -> NDArray[np.generic]:
    row = np.ascontiguousarray(default if given is None else given, dtype)
    if row.shape != np.shape(default):
        raise ValueError(f"{name}: shape {row.shape}, expected {np.shape(default)}")
    return row


def _check_inside(tokens: NDArray[np.uint32], target_bits: NDArray[np.uint8], placement: Placement) -> None:
    for name, store, dtype in (("tokens", tokens, np.uint32), ("target_bits", target_bits, np.uint8)):
        if store.ndim != 1 or store.dtype != dtype:
            raise ValueError(f"{name}: expected a row of {np.dtype(dtype)}, not {store.dtype} {store.shape}")
    lengths = np.diff(placement.cu_seqlens[: placement.num_documents + 1])
    for name, firsts, sizes, end in (
        ("tokens", placement.first_token, lengths, len(tokens)),
        ("target_bits", placement.first_mask_byte, (lengths + 7) // 8, len(target_bits)),
    ):
        outside = np.flatnonzero((firsts < 0) | (firsts + sizes > end))
        if outside.size:
            worst = int(outside[0])
            raise ValueError(
                f"{name}: document {worst} is {sizes[worst]} from {firsts[worst]} on, the store ends at {end}"
            )


def _stage(
    tokens: NDArray[np.uint32], target_bits: NDArray[np.uint8], placement: Placement, device: torch.device
) -> tuple[Tensor, ...]:
    """What the kernel reads, on the device by one copy of one buffer: the documents' bytes alone, end to end."""
    lengths = np.diff(placement.cu_seqlens[: placement.num_documents + 1]).astype(np.int64)
    mask_sizes = (lengths + 7) // 8
    parts: list[tuple[np.dtype[np.generic], int]] = [
        (np.dtype(np.int32), int(lengths.sum())),
        (np.dtype(np.uint8), int(mask_sizes.sum())),
        (np.dtype(np.int64), len(lengths)),
        (np.dtype(np.int64), len(lengths)),
        (np.dtype(np.float32), len(lengths)),
        (np.dtype(np.int32), len(placement.cu_seqlens)),
    ]
    starts, size = [], 0
    for kind, count in parts:
        starts.append(size)
        size += -(-max(1, count) * kind.itemsize // _ALIGNMENT) * _ALIGNMENT
    buffer = torch.empty(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
    plain = buffer.numpy()
    views = [
        plain[start : start + count * kind.itemsize].view(kind)
        for start, (kind, count) in zip(starts, parts, strict=True)
    ]
    _gather(tokens.view(np.int32), placement.first_token, lengths, views[0])
    _gather(target_bits, placement.first_mask_byte, mask_sizes, views[1])
    views[2][:] = np.cumsum(lengths) - lengths
    views[3][:] = np.cumsum(mask_sizes) - mask_sizes
    views[4][:] = placement.weights
    views[5][:] = placement.cu_seqlens
    copied = buffer.to(device, non_blocking=True)
    types = (torch.int32, torch.uint8, torch.int64, torch.int64, torch.float32, torch.int32)
    return tuple(
        copied[start : start + count * kind.itemsize].view(dtype)
        for start, (kind, count), dtype in zip(starts, parts, types, strict=True)
    )


def _gather(
    store: NDArray[np.generic],
    firsts: NDArray[np.int64],
    sizes: Sequence[int] | NDArray[np.int64],
    out: NDArray[np.generic],
) -> None:
    end = 0
    for first, size in zip(firsts.tolist(), np.asarray(sizes).tolist(), strict=True):
        out[end : end + size] = store[first : first + size]
        end += size
