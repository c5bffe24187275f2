"""Attention of packed documents, each to itself alone: the way is chosen here and nowhere else.

| way | where | how |
|---|---|---|
| `flash_attn_3` | Hopper, if its package is installed; 16-bit floats | one varlen call |
| `flash_attn_2` | NVIDIA GPUs, if its package is installed; 16-bit floats | one varlen call |
| `varlen_attn` | NVIDIA GPUs; 16-bit floats | one varlen call, torch's own |
| `grouped_sdpa` | everywhere, CPUs too; any floats | one causal SDPA call per group of documents of similar length |

No way builds a mask, so a row costs the sum of its documents' squares and not the square of its length. A mask of ones
given beside reset positions would join the documents in transformers, so none is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

NAME = "reasonmill_documents"  # under which transformers knows `attend`
# Lengths in a group differ by at most this factor: attention on padding costs at most 1.3^2.
_GROUP_RATIO = 1.3
_MAX_HEAD_DIM = 256  # of the varlen kernels


@dataclass(frozen=True, kw_only=True)
class DocumentGroups:
    """Documents of a micro-batch of N tokens, by length.

    `gather` per group: int64[D * M], the token of each slot, documents padded to the group's longest M with token 0.
    `shapes` per group: (D, M). `scatter` int64[N]: slot of each token among all groups' slots.
    """

    gather: tuple[Tensor, ...]
    shapes: tuple[tuple[int, int], ...]
    scatter: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Documents:
    """Documents of a micro-batch that lie end to end, document i from `ends[i]` to `ends[i + 1]`.

    `ends` is the host's copy of `cu_seqlens` int32 on the device; `max_seqlen` a host number, so that nothing waits.
    """

    ends: NDArray[np.integer[Any]]
    cu_seqlens: Tensor
    max_seqlen: int

    @cached_property
    def groups(self) -> DocumentGroups:
        """The documents by length, made when a way first asks for them."""
        return _group(self.ends, self.cu_seqlens.device)


def documents_of(cu_seqlens: NDArray[np.integer[Any]], device: torch.device | str = "cpu") -> Documents:
    """Documents from their starts and the last one's end, on the host; a repeated end is no document."""
    ends = np.unique(cu_seqlens)
    assert ends[0] == 0, "documents start at 0"
    assert len(ends) > 1, "there is a document"
    return Documents(
        ends=ends,
        cu_seqlens=torch.from_numpy(ends.astype(np.int32)).to(device),
        max_seqlen=int(np.diff(ends).max()),
    )


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    documents: Documents,
    scaling: float | None = None,
    dropout: float = 0.0,
    way: str | None = None,
    **asked: Any,
) -> tuple[Tensor, None]:
    """Attention function for transformers: query [1, H, N, d], key and value [1, K, N, d] to [1, N, H, d].

    `way` overrides the choice. Raises ValueError for what no way here does: soft-capped scores, attention sinks, a
    window shorter than a document.
    """
    assert attention_mask is None, "packed documents are kept apart without a mask"
    _refuse(asked, documents)
    chosen = way or ways(query.device, query.dtype, query.shape[-1])[0]
    heads = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]
    if dropout and chosen in ("varlen_attn", "flash_attn_3"):
        raise ValueError(f"attention dropout: {dropout}, but {chosen} has none")
    return _WAYS[chosen](*heads, documents, scaling, dropout).unsqueeze(0), None


@cache
def ways(device: torch.device, dtype: torch.dtype, head_dim: int) -> tuple[str, ...]:
    """The ways that such tensors can go on this machine, the one to take first."""
    found = []
    half = dtype in (torch.bfloat16, torch.float16)
    if device.type == "cuda" and half and head_dim <= _MAX_HEAD_DIM:
        if torch.cuda.get_device_capability(device)[0] == 9 and find_spec("flash_attn_interface"):
            found.append("flash_attn_3")
        if find_spec("flash_attn"):
            found.append("flash_attn_2")
        if find_spec("torch.nn.attention.varlen"):
            found.append("varlen_attn")
    return (*found, "grouped_sdpa")


def _refuse(asked: dict[str, Any], documents: Documents) -> None:
    window = asked.get("sliding_window")
    if window is not None and window < documents.max_seqlen:
        raise ValueError(f"sliding_window: {window} is shorter than a document of {documents.max_seqlen} tokens")
    for name in ("softcap", "s_aux"):
        if asked.get(name) is not None:
            raise ValueError(f"{name}: attention over packed documents does not have it")
    if asked.get("is_causal") is False:
        raise ValueError("is_causal: false, but packed documents are read from left to right")


def _flash_attn_3(
    query: Tensor, key: Tensor, value: Tensor, documents: Documents, scaling: float | None, dropout: float
) -> Tensor:
    from flash_attn_interface import flash_attn_varlen_func

    ends, longest = documents.cu_seqlens, documents.max_seqlen
    out: Any = flash_attn_varlen_func(
        query, key, value, ends, ends, max_seqlen_q=longest, max_seqlen_k=longest, softmax_scale=scaling, causal=True
    )
    first: Tensor = out[0] if isinstance(out, tuple) else out  # releases before 3.0.0b2 return the log-sum-exp too
    return first


def _flash_attn_2(
    query: Tensor, key: Tensor, value: Tensor, documents: Documents, scaling: float | None, dropout: float
) -> Tensor:
    from flash_attn import flash_attn_varlen_func

    ends, longest = documents.cu_seqlens, documents.max_seqlen
    out: Tensor = flash_attn_varlen_func(
        query, key, value, ends, ends, longest, longest, dropout_p=dropout, softmax_scale=scaling, causal=True
    )
    return out


def _varlen_attn(
    query: Tensor, key: Tensor, value: Tensor, documents: Documents, scaling: float | None, dropout: float
) -> Tensor:
    """Torch 2.10 has neither a scale nor fewer key heads nor windows, 2.11 no fewer key heads."""
    from torch.nn.attention.varlen import varlen_attn

    known = _parameters(varlen_attn)
    options: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    if "scale" in known:
        options["scale"] = scaling
    elif scaling is not None:
        query = query * (scaling * query.shape[-1] ** 0.5)
    groups = query.shape[1] // key.shape[1]
    if "enable_gqa" in known:
        options["enable_gqa"] = groups > 1
    elif groups > 1:
        key, value = (heads.repeat_interleave(groups, 1) for heads in (key, value))
    ends, longest = documents.cu_seqlens, documents.max_seqlen
    out: Tensor = varlen_attn(query, key, value, ends, ends, longest, longest, **options)
    return out


@cache
def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(signature(function).parameters)


def _grouped_sdpa(
    query: Tensor, key: Tensor, value: Tensor, documents: Documents, scaling: float | None, dropout: float
) -> Tensor:
    """16-bit products are taken in float32 on a CPU (torch 2.13: the bfloat16 backward takes three times as long)."""
    groups = documents.groups
    wide = torch.float32 if query.device.type == "cpu" and query.dtype.itemsize < 4 else query.dtype
    heads = [tensor.contiguous() for tensor in (query, key, value)]
    parts = []
    for gather, (count, longest) in zip(groups.gather, groups.shapes, strict=True):
        q, k, v = (
            tensor.index_select(0, gather).view(count, longest, tensor.shape[1], -1).transpose(1, 2).to(wide)
            for tensor in heads
        )
        out = functional.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
        )
        parts.append(out.to(query.dtype).transpose(1, 2).reshape(count * longest, query.shape[1], -1))
    slots = parts[0] if len(parts) == 1 else torch.cat(parts)
    return slots.index_select(0, groups.scatter)


_WAYS: dict[str, Callable[..., Tensor]] = {
    "flash_attn_3": _flash_attn_3,
    "flash_attn_2": _flash_attn_2,
    "varlen_attn": _varlen_attn,
    "grouped_sdpa": _grouped_sdpa,
}


def _group(ends: NDArray[np.integer[Any]], device: torch.device) -> DocumentGroups:
    starts = ends[:-1].astype(np.int64)
    lengths = np.diff(ends).astype(np.int64)
    order = np.argsort(lengths, kind="stable")
    scatter = np.empty(int(ends[-1]), np.int64)
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
