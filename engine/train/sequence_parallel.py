"""One row over several ranks (Ulysses, arXiv 2309.14509): each holds a stretch of its tokens, and for attention all
tokens of its share of the heads. Documents may lie across stretches; the losses and gradients are those of one rank.

Ranks r, r + 1, ... of a group of S hold stretches 0 to S - 1. Rows are padded to a multiple of S with a document that
nothing is learnt from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reasonmill.engine.train.batches import MicroBatch
from reasonmill.engine.train.loss import IGNORED
from reasonmill.kernels import attention
from reasonmill.kernels.attention import Documents, documents_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """The documents of a whole micro-batch of which this rank holds 1 / `size`; `group` is its ranks."""

    documents: Documents
    group: Any
    size: int


def my_group(size: int) -> Any:
    """The own group of `size` neighbours; collective. None where each rank is alone."""
    if size == 1:
        return None
    mine = None
    for first in range(0, dist.get_world_size(), size):
        group = dist.new_group(list(range(first, first + size)))
        if first <= dist.get_rank() < first + size:
            mine = group
    return mine


def part_of(batch: MicroBatch, group: Any, size: int) -> MicroBatch:
    """The own stretch of a micro-batch that its whole group was given."""
    rank = dist.get_rank(group)
    ends: NDArray[np.integer[Any]] = batch.documents.ends
    padding = -int(ends[-1]) % size
    if padding:
        ends = np.append(ends, ends[-1] + padding)
    part = int(ends[-1]) // size

    def own(tensor: Tensor, fill: int) -> Tensor:
        whole = functional.pad(tensor, (0, padding), value=fill)
        return whole[:, rank * part : (rank + 1) * part].contiguous()

    return MicroBatch(
        rows=batch.rows,
        input_ids=own(batch.input_ids, 0),
        position_ids=own(batch.position_ids, 0),
        labels=own(batch.labels, IGNORED),
        documents=Stretch(documents=documents_of(ends, batch.input_ids.device), group=group, size=size),
        weights=None if batch.weights is None else own(batch.weights, 0),
    )


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    documents: Documents | Stretch,
    **asked: Any,
) -> tuple[Tensor, None]:
    """Attention function for transformers, as `kernels.attention.attend`, over whole micro-batches and stretches."""
    if isinstance(documents, Documents):
        return attention.attend(module, query, key, value, attention_mask, documents=documents, **asked)
    group, size = documents.group, documents.size
    # as many key heads as ranks at least: a rank needs those that its queries look at
    repeats = max(1, size // key.shape[1])
    if repeats > 1:
        key, value = (tensor.repeat_interleave(repeats, dim=1) for tensor in (key, value))
    q, k, v = (_Exchange.apply(tensor, group, size, True) for tensor in (query, key, value))
    out, _ = attention.attend(module, q, k, v, attention_mask, documents=documents.documents, **asked)
    back = _Exchange.apply(out.transpose(1, 2), group, size, False)
    return back.transpose(1, 2), None


class _Exchange(torch.autograd.Function):  # type: ignore[misc]
    """[1, H, n, d] of a stretch to [1, H / S, S n, d] of a share of the heads, or back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any, size: int, to_heads: bool) -> Tensor:
        ctx.group, ctx.size, ctx.to_heads = group, size, to_heads
        return _exchange(x, group, size, to_heads)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        return _exchange(grad, ctx.group, ctx.size, not ctx.to_heads), None, None, None


def _exchange(x: Tensor, group: Any, size: int, to_heads: bool) -> Tensor:
    _, heads, tokens, width = x.shape
    if to_heads:
        sent = x[0].reshape(size, heads // size, tokens, width)
    else:
        sent = x[0].reshape(heads, size, tokens // size, width).transpose(0, 1)
    sent = sent.contiguous()
    received = torch.empty_like(sent)
    dist.all_to_all_single(received, sent, group=group)
    if to_heads:  # [stretch, head, token] -> heads by all tokens
        return received.transpose(0, 1).reshape(1, heads // size, size * tokens, width)
    return received.reshape(1, size * heads, tokens // size, width)


def check_heads(size: int, *, heads: int, kv_heads: int) -> None:
    """Raise ValueError where heads cannot be shared out over `size` ranks."""
    if heads % size or (kv_heads % size and size % kv_heads):
        raise ValueError(
            f"sequence_parallel_size: {size} does not go with {heads} query heads and {kv_heads} key and value heads"
        )
