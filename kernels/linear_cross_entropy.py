"""Loss of a language model's head without its matrix of logits: hidden states times head, cross entropy, and both
gradients, a chunk of target rows at a time.

Rows that are no target cost nothing. The head's gradient is accumulated in float32 over the chunks. A sum of losses
takes three products a chunk, since its gradients are made in the forward pass; losses per token take four.
On a GPU the rows' cross entropy is one Triton launch a chunk; elsewhere it is torch, a chunk small enough for a cache.
`linear_cross_entropy_reference` is the slow twin, with every logit in memory.

Dimensions: T tokens, N of them targets, H hidden, V columns of the head.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from reasonmill.kernels import cross_entropy

IGNORED = -100  # label of a position that is no target
# Logits held at once. CPU: bench/results/kernels-cpu2.json (loss_budget_*). GPU: not yet measured; 1 GiB is 3,500 rows
# of Qwen2.5's 152,064 columns, so that adding to 2 or 3 GB of head gradient is a tenth of a chunk's products.
CPU_LOGITS_BYTES = 32 * 2**20
GPU_LOGITS_BYTES = 2**30
_COLUMNS_AT_ONCE = 16384  # of a product that cannot be added in place: 320 MiB of float32 at a hidden size of 5,120

Rows = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class _Options:
    softcap: float
    label_smoothing: float
    budget: int
    rows: Rows


def linear_cross_entropy(
    hidden_TH: Tensor,
    head_VH: Tensor,
    labels_T: Tensor,
    *,
    weights_T: Tensor | None = None,
    bias_V: Tensor | None = None,
    reduction: Literal["sum", "none"] = "sum",
    softcap: float = 0.0,
    label_smoothing: float = 0.0,
    num_targets: int | None = None,
    logits_bytes: int | None = None,
    rows: Rows | None = None,
) -> Tensor:
    """Sum of the weighted losses of the targets, or each token's [T] (0 where it is none), in float32 or wider.

    `labels_T`: column per token, already shifted, or -100. `weights_T`: factor per token, a constant. `num_targets`:
    how many labels are not -100, where the caller knows; otherwise they are counted, and a GPU is waited for. `rows`
    replaces the cross entropy of a chunk's rows (default by device). A label that is no column makes the loss NaN.
    Raises ValueError for shapes and types that do not fit.
    """
    _check(hidden_TH, head_VH, labels_T, weights_T, bias_V, softcap, label_smoothing)
    if reduction not in ("sum", "none"):
        raise ValueError(f"reduction: {reduction!r} is neither 'sum' nor 'none'")
    on_gpu = hidden_TH.device.type == "cuda"
    options = _Options(
        softcap=softcap,
        label_smoothing=label_smoothing,
        budget=logits_bytes or (GPU_LOGITS_BYTES if on_gpu else CPU_LOGITS_BYTES),
        rows=rows or (_triton_rows() if on_gpu else cross_entropy.cross_entropy_rows),
    )
    index = _targets(labels_T, num_targets)
    wide = torch.promote_types(hidden_TH.dtype, torch.float32)
    labels = labels_T.index_select(0, index)
    weights = torch.ones(len(index), dtype=wide, device=hidden_TH.device)
    if weights_T is not None:
        weights = weights_T.index_select(0, index).to(wide)
    function = _SummedLoss if reduction == "sum" else _TokenLosses
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (hidden_TH, head_VH, bias_V))
    losses: Tensor = function.apply(hidden_TH, head_VH, bias_V, index, labels, weights, options, wanted)
    return losses


def _targets(labels: Tensor, num_targets: int | None) -> Tensor:
    """Positions of the targets, in order. A GPU is not waited for where their number is told."""
    if num_targets is not None and labels.device.type == "cuda":
        return (labels == IGNORED).to(torch.int8).argsort(stable=True)[:num_targets]
    index = (labels != IGNORED).nonzero().squeeze(1)
    if num_targets not in (None, len(index)):
        raise ValueError(f"num_targets: {num_targets}, but {len(index)} labels are targets")
    return index


def linear_cross_entropy_reference(
    hidden_TH: Tensor,
    head_VH: Tensor,
    labels_T: Tensor,
    *,
    weights_T: Tensor | None = None,
    bias_V: Tensor | None = None,
    reduction: Literal["sum", "none"] = "sum",
    softcap: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The same by torch's own operators, with every logit of every token in memory."""
    logits = functional.linear(hidden_TH, head_VH, bias_V)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if softcap > 0.0:
        logits = softcap * torch.tanh(logits / softcap)
    losses = functional.cross_entropy(
        logits, labels_T.long(), ignore_index=IGNORED, reduction="none", label_smoothing=label_smoothing
    )
    if weights_T is not None:
        losses = losses * weights_T
    return losses.sum() if reduction == "sum" else losses


class _SummedLoss(torch.autograd.Function):  # type: ignore[misc]
    """Gradients are made beside the loss, so the logits are computed once; backward scales them, once, in place."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        index: Tensor,
        labels: Tensor,
        weights: Tensor,
        options: _Options,
        wanted: bool,
    ) -> Tensor:
        losses = torch.empty_like(weights)
        needed = ctx.needs_input_grad if wanted else (False,) * 3
        gradients = _Gradients(hidden, head, bias, len(index), options, needed)
        for part, x, logits in _chunks(hidden, head, bias, index, options):
            losses[part], _ = options.rows(
                logits,
                labels[part],
                weights[part],
                softcap=options.softcap,
                label_smoothing=options.label_smoothing,
                gradient=wanted,
            )
            if wanted:
                gradients.add(part, index, x, logits, head)
        # not saved, but handed over: backward scales them where they lie, and a head's gradient is gigabytes
        ctx.made = (gradients.hidden, gradients.head, gradients.bias)
        ctx.dtypes = (hidden.dtype, head.dtype, None if bias is None else bias.dtype)
        return losses.sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        made, ctx.made = ctx.made, None
        if made is None:
            raise RuntimeError("a summed loss gives its gradients once; compute it again, or take reduction='none'")
        scaled = [
            None
            if one is None
            else torch.mul(one, grad, out=one if one.dtype == dtype else one.new_empty(0, dtype=dtype))
            for one, dtype in zip(made, ctx.dtypes, strict=True)
        ]
        return *scaled, None, None, None, None, None


class _TokenLosses(torch.autograd.Function):  # type: ignore[misc]
    """Losses per token: their weights in the total are known only in backward, which computes the logits again."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        head: Tensor,
        bias: Tensor | None,
        index: Tensor,
        labels: Tensor,
        weights: Tensor,
        options: _Options,
        wanted: bool,
    ) -> Tensor:
        losses = weights.new_zeros(len(hidden))
        lses = torch.empty_like(weights)
        for part, _, logits in _chunks(hidden, head, bias, index, options):
            found, lses[part] = options.rows(
                logits,
                labels[part],
                weights[part],
                softcap=options.softcap,
                label_smoothing=options.label_smoothing,
                gradient=False,
            )
            losses.index_copy_(0, index[part], found)
        ctx.save_for_backward(hidden, head, bias, index, labels, weights, lses)
        ctx.options = options
        return losses

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden, head, bias, index, labels, weights, lses = ctx.saved_tensors
        options: _Options = ctx.options
        shares = grad.index_select(0, index) * weights
        gradients = _Gradients(hidden, head, bias, len(index), options, ctx.needs_input_grad)
        for part, x, logits in _chunks(hidden, head, bias, index, options):
            options.rows(
                logits,
                labels[part],
                shares[part],
                softcap=options.softcap,
                label_smoothing=options.label_smoothing,
                gradient=True,
                lse_N=lses[part],
            )
            gradients.add(part, index, x, logits, head)
        made = (gradients.hidden, gradients.head, gradients.bias)
        types = (hidden.dtype, head.dtype, None if bias is None else bias.dtype)
        cast = [None if one is None else one.to(dtype) for one, dtype in zip(made, types, strict=True)]
        return *cast, None, None, None, None, None


class _Gradients:
    """Gradients of hidden states, head and bias as they grow chunk by chunk; None where none is needed."""

    def __init__(
        self, hidden: Tensor, head: Tensor, bias: Tensor | None, num_targets: int, options: _Options, needed: Any
    ) -> None:
        wide = torch.promote_types(head.dtype, torch.float32)
        # one product accumulates in float32 by itself: only a sum over chunks needs a wide matrix
        alone = num_targets <= rows_per_chunk(num_targets, len(head), head.dtype.itemsize, options.budget)
        new = torch.empty_like if num_targets == len(hidden) else torch.zeros_like  # no target: no gradient
        self.hidden: Tensor | None = new(hidden) if needed[0] else None
        self.head: Tensor | None = torch.empty_like(head, dtype=head.dtype if alone else wide) if needed[1] else None
        self.bias: Tensor | None = torch.zeros_like(bias, dtype=wide) if bias is not None and needed[2] else None
        self._first, self._every = True, num_targets == len(hidden)
        if self.head is not None and not num_targets:
            self.head.zero_()

    def add(self, part: slice, index: Tensor, x: Tensor, d_logits: Tensor, head: Tensor) -> None:
        """Add what a part of the targets contributes; `index` says where all of them are, `x` are its hidden states."""
        if self.hidden is not None and self._every:
            torch.mm(d_logits, head, out=self.hidden[part])
        elif self.hidden is not None:
            self.hidden.index_copy_(0, index[part], d_logits @ head)
        if self.bias is not None:
            self.bias += d_logits.sum(0, dtype=self.bias.dtype)
        if self.head is not None:
            _accumulate(self.head, d_logits, x, first=self._first)
        self._first = False


def _accumulate(total_VH: Tensor, d_logits: Tensor, x: Tensor, *, first: bool) -> None:
    """`total += d_logits.T @ x` in the total's type; the first time it is set instead."""
    left = d_logits.t()
    if x.dtype == total_VH.dtype:
        torch.addmm(total_VH, left, x, beta=0.0 if first else 1.0, out=total_VH)
    elif x.device.type == "cuda":
        if not _writes_wide(x.dtype):
            for part in range(0, len(total_VH), _COLUMNS_AT_ONCE):
                own = slice(part, part + _COLUMNS_AT_ONCE)
                product = torch.mm(left[own], x, out_dtype=total_VH.dtype)
                total_VH[own] = product if first else product.add_(total_VH[own])
        elif first:
            torch.mm(left, x, out_dtype=total_VH.dtype, out=total_VH)
        else:
            torch.addmm(total_VH, left, x, out_dtype=total_VH.dtype, out=total_VH)
    elif first:
        total_VH.copy_(torch.mm(left, x))
    else:
        total_VH += torch.mm(left, x)


@cache
def _writes_wide(dtype: torch.dtype) -> bool:
    """Whether this torch writes a half-precision product into a float32 matrix and adds one to it, as documented.

    It went wrong once (github.com/pytorch/pytorch/issues/154086), so it is tried before it is relied upon.
    """
    total = torch.full((16, 16), 0.5, device="cuda")
    left, right = (torch.ones((16, 16), dtype=dtype, device="cuda") for _ in range(2))
    try:
        torch.mm(left, right, out_dtype=torch.float32, out=total)
        torch.addmm(total, left, right, out_dtype=torch.float32, out=total)
    except (RuntimeError, TypeError):
        return False
    return bool((total == 32.0).all())


def _chunks(
    hidden: Tensor, head: Tensor, bias: Tensor | None, index: Tensor, options: _Options
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Per chunk of the targets: which they are, their hidden states, and their logits in memory that is reused."""
    size = rows_per_chunk(len(index), len(head), hidden.dtype.itemsize, options.budget)
    memory = hidden.new_empty((size, len(head)))
    for start in range(0, len(index), size):
        part = slice(start, min(start + size, len(index)))
        x = hidden[part] if len(index) == len(hidden) else hidden.index_select(0, index[part])
        logits = memory[: len(x)]
        if bias is None:
            torch.mm(x, head.t(), out=logits)
        else:
            torch.addmm(bias, x, head.t(), out=logits)
        yield part, x, logits


def rows_per_chunk(num_rows: int, num_columns: int, itemsize: int, logits_bytes: int) -> int:
    """Rows of each chunk but the last: the budget's, evened out so that no small chunk is left over.

    A multiple of 128, the tile of a matrix product, where the budget allows as much.
    """
    most = max(1, logits_bytes // (num_columns * itemsize))
    even = -(-num_rows // -(-num_rows // most)) if num_rows else 1
    return min(most, -(-even // 128) * 128) if most >= 128 and even > 128 else even


def _triton_rows() -> Rows:
    from reasonmill.kernels.gpu.cross_entropy import cross_entropy_rows

    return cross_entropy_rows


def _check(
    hidden: Tensor,
    head: Tensor,
    labels: Tensor,
    weights: Tensor | None,
    bias: Tensor | None,
    softcap: float,
    label_smoothing: float,
) -> None:
    if hidden.ndim != 2 or head.ndim != 2 or hidden.shape[1] != head.shape[1]:
        raise ValueError(f"hidden {tuple(hidden.shape)} and head {tuple(head.shape)}: expected [T, H] and [V, H]")
    if hidden.dtype != head.dtype or (bias is not None and bias.dtype != head.dtype):
        types = ", ".join(str(tensor.dtype) for tensor in (hidden, head, bias) if tensor is not None)
        raise ValueError(f"hidden states, head and bias must be of one type, not {types}")
    for name, tensor, shape in (("labels", labels, hidden.shape[:1]), ("weights", weights, hidden.shape[:1])):
        if tensor is not None and tensor.shape != shape:
            raise ValueError(f"{name}: shape {tuple(tensor.shape)}, expected {tuple(shape)}")
    if bias is not None and bias.shape != head.shape[:1]:
        raise ValueError(f"bias: shape {tuple(bias.shape)}, expected {tuple(head.shape[:1])}")
    if labels.is_floating_point():
        raise ValueError(f"labels: {labels.dtype} holds no indices")
    if not softcap >= 0.0:
        raise ValueError(f"softcap: {softcap} is negative")
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"label_smoothing: {label_smoothing} is outside [0, 1)")
