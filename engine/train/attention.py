"""Attention of packed documents, each to itself alone: one causal SDPA call per group of documents of similar length.

No mask is built, so a row costs the sum of its documents' squares and not the square of its length, on any device. In
bfloat16 on a CPU the products are taken in float32 (torch 2.13: the bfloat16 backward takes three times as long).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

NAME = "reasonmill_documents"
# Lengths in a group differ by at most this factor: attention on padding costs at most 1.3^2.
_GROUP_RATIO = 1.3


@dataclass(frozen=True, kw_only=True)
class DocumentGroups:
    """Documents of a micro-batch of N tokens, by length.

    `gather` per group: int64[D * M], the token of each slot, documents padded to the group's longest M with token 0.
    `shapes` per group: (D, M). `scatter` int64[N]: slot of each token among all groups' slots.
    """

    gather: tuple[Tensor, ...]
    shapes: tuple[tuple[int, int], ...]
    scatter: Tensor


def group_documents(cu_seqlens: NDArray[np.int64], device: torch.device | str = "cpu") -> DocumentGroups:
    """Groups for documents that lie end to end, document i from `cu_seqlens[i]` to `cu_seqlens[i + 1]`."""
    starts = cu_seqlens[:-1]
    lengths = np.diff(cu_seqlens)
    order = np.argsort(lengths, kind="stable")
    scatter = np.empty(int(cu_seqlens[-1]), np.int64)
    gather: list[Tensor] = []
    shapes: list[tuple[int, int]] = []
    first, slots = 0, 0
    while first < len(order):
        last = first + int(np.searchsorted(lengths[order[first:]], lengths[order[first]] * _GROUP_RATIO, side="right"))
        members = order[first:last]
        longest = int(lengths[members[-1]])
        inside = np.arange(longest) < lengths[members, None]
        tokens = starts[members, None] + np.arange(longest)
        scatter[tokens[inside]] = slots + np.flatnonzero(inside)
        gather.append(torch.from_numpy(np.where(inside, tokens, 0).reshape(-1)).to(device))
        shapes.append((len(members), longest))
        slots += len(members) * longest
        first = last
    return DocumentGroups(gather=tuple(gather), shapes=tuple(shapes), scatter=torch.from_numpy(scatter).to(device))


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    documents: DocumentGroups,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention function for transformers: query [1, H, N, d], key and value [1, K, N, d] to [1, N, H, d]."""
    assert attention_mask is None, "packed documents are kept apart without a mask"
    wide = torch.float32 if query.device.type == "cpu" else query.dtype
    heads = [tensor[0].transpose(0, 1).contiguous() for tensor in (query, key, value)]
    parts = []
    for gather, (count, longest) in zip(documents.gather, documents.shapes, strict=True):
        q, k, v = (
            tensor.index_select(0, gather).view(count, longest, tensor.shape[1], -1).transpose(1, 2).to(wide)
            for tensor in heads
        )
        out = functional.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
        )
        parts.append(out.to(query.dtype).transpose(1, 2).reshape(count * longest, query.shape[1], -1))
    slots = parts[0] if len(parts) == 1 else torch.cat(parts)
    return slots.index_select(0, documents.scatter).unsqueeze(0), None
