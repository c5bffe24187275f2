"""The head's loss, forward and backward, at the shapes of Qwen2.5: time and memory beside every other there is.

QuACK compiles for long and in its own way: it has a part of its own (loss_quack.py), which cannot take this one along.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of
from reasonmill.bench.gpu.clock import measure as timed
from reasonmill.kernels.gpu.cross_entropy import cross_entropy_rows
from reasonmill.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_reference

# hidden size and columns; 14B and 32B have the same head
SHAPES = {"qwen2.5_7b": (3584, 152064), "qwen2.5_14b_32b": (5120, 152064)}
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Every contestant at every shape, then what our constants cost and bring."""
    device = device_of(dry_run)
    shapes = {"tiny": (16, 97)} if dry_run else SHAPES
    yield from _matmul_rate(device, dry_run)
    for shape, (width, columns) in shapes.items():
        for num_rows in (8,) if dry_run else (2048, 16384):
            hidden, head, labels = inputs(num_rows, width, columns, device)
            yield from _correct(hidden[:64], head, labels[:64])
            yield from contest(f"{shape}_{num_rows}", CONTESTANTS, hidden, head, labels, dry_run)
            del hidden, head, labels
    width, columns = next(iter(shapes.values()))
    yield from _sweep_budget(*inputs(8 if dry_run else 16384, width, columns, device), dry_run)
    yield from _sweep_rows(columns, device, dry_run)


def inputs(num_rows: int, width: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, head and labels, all of them targets."""
    generator = torch.Generator(device).manual_seed(7)
    kind = torch.float32 if device.type == "cpu" else torch.bfloat16
    hidden = torch.randn((num_rows, width), generator=generator, device=device).to(kind)
    head = (torch.randn((columns, width), generator=generator, device=device) / width**0.5).to(kind)
    labels = torch.randint(0, columns, (num_rows,), generator=generator, device=device)
    return hidden.requires_grad_(), head.requires_grad_(), labels


def ours(hidden: Tensor, head: Tensor, labels: Tensor, **options: Any) -> Tensor:
    """The loss that all others are held against."""
    return linear_cross_entropy(
        hidden, head, labels, num_targets=len(labels), rows=cross_entropy_rows, reduction="sum", **options
    )


def _torch_chunked(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    options = torch.nn.LinearCrossEntropyOptions()
    loss: Tensor = functional.linear_cross_entropy(hidden, head, labels, reduction="sum", options=options)
    return loss


def _liger(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    loss: Tensor = LigerFusedLinearCrossEntropyLoss(reduction="sum")(head, hidden, labels)
    return loss


CONTESTANTS: dict[str, Loss] = {
    "ours": ours,
    "all_logits": linear_cross_entropy_reference,
    "torch_chunked": _torch_chunked,
    "liger": _liger,
}


def _correct(hidden: Tensor, head: Tensor, labels: Tensor) -> Iterator[Figure]:
    """Relative error of our gradients against float32 on the same numbers."""
    rows = hidden.detach().requires_grad_()
    ours(rows, head, labels).backward()
    mine, mine_head = rows.grad, head.grad
    head.grad = None
    wide, wide_head = rows.detach().float().requires_grad_(), head.detach().float().requires_grad_()
    linear_cross_entropy_reference(wide, wide_head, labels).backward()
    for name, found, expected in (("hidden", mine, wide.grad), ("head", mine_head, wide_head.grad)):
        error = float((found.float() - expected).norm() / expected.norm())
        yield Figure(name=f"error_of_{name}_{head.shape[1]}", value=error, unit="relative", better="lower", target=1e-2)


def contest(
    name: str, contestants: Mapping[str, Loss], hidden: Tensor, head: Tensor, labels: Tensor, dry_run: bool
) -> Iterator[Figure | str]:
    """Time and memory of forward and backward of each, and how `ours` compares."""

    def step(loss: Loss) -> None:
        hidden.grad = head.grad = None
        loss(hidden, head, labels).backward()

    runs = {one: partial(step, loss) for one, loss in contestants.items()}
    found = timed(runs, rounds=2 if dry_run else 3)
    flops = 6 * hidden.numel() * len(head)
    for one in found.seconds:
        detail: dict[str, object] = {
            "peak_mib": round(found.peak_bytes[one] / 2**20),
            "tflops": round(flops / found.best(one) / 1e12, 1),
        }
        yield Figure(name=f"{name}_{one}_ms", value=found.best(one) * 1e3, unit="ms", better="lower", detail=detail)
        if one != "ours" and "ours" in found.seconds:
            target = 1.0 if one == "liger" else None
            yield Figure(name=f"{name}_over_{one}", value=found.ratio(one, "ours"), unit="x", target=target, gated=True)
    if not dry_run and {"ours", "liger"} <= found.peak_bytes.keys():
        leaner = found.peak_bytes["liger"] / found.peak_bytes["ours"]
        yield Figure(name=f"{name}_memory_liger_over_ours", value=leaner, unit="x", target=1.0, gated=True)
    hidden.grad = head.grad = None
    for remark in found.remarks():
        yield f"{name}: {remark}"


def _sweep_budget(hidden: Tensor, head: Tensor, labels: Tensor, dry_run: bool) -> Iterator[Figure | str]:
    def step(logits_bytes: int) -> None:
        hidden.grad = head.grad = None
        ours(hidden, head, labels, logits_bytes=logits_bytes).backward()

    budgets = (1, 2) if dry_run else (256, 512, 1024, 2048, 5120)
    found = timed({str(mib): partial(step, mib * 2**20) for mib in budgets}, rounds=2 if dry_run else 3)
    for mib, peak in found.peak_bytes.items():
        yield Figure(
            name=f"budget_{mib}_mib_ms",
            value=found.best(mib) * 1e3,
            unit="ms",
            better="lower",
            detail={"peak_mib": round(peak / 2**20)},
        )
    yield from found.remarks()


def _sweep_rows(columns: int, device: torch.device, dry_run: bool) -> Iterator[Figure | str]:
    """The rows kernel alone: what its tile and warps bring, as bytes of logits read and written once."""
    kind = torch.float32 if dry_run else torch.bfloat16
    logits = torch.randn((2 if dry_run else 3072, columns), device=device).to(kind)
    labels = torch.zeros(len(logits), dtype=torch.int64, device=device)
    weights = torch.ones(len(logits), device=device)
    tiles = ((64, 4),) if dry_run else tuple((b, w) for b in (2048, 4096, 8192, 16384) for w in (4, 8, 16, 32))
    runs = {
        f"{block}_{warps}": partial(
            cross_entropy_rows, logits, labels, weights, gradient=True, block=block, num_warps=warps
        )
        for block, warps in tiles
    }
    found = timed(runs, rounds=2 if dry_run else 3)
    for tile in found.seconds:
        rate = 2 * logits.numel() * logits.element_size() / found.best(tile) / 1e9
        yield Figure(name=f"rows_{tile}_gb_s", value=rate, unit="GB/s", detail={"block_warps": tile})
    yield from found.remarks()


def _matmul_rate(device: torch.device, dry_run: bool) -> Iterator[Figure]:
    size = 32 if dry_run else 8192
    a = torch.randn((size, size), device=device).to(torch.float32 if dry_run else torch.bfloat16)
    found = timed({"matmul": lambda: a @ a}, rounds=2 if dry_run else 5, calls=1 if dry_run else 10)
    yield Figure(name="matmul_tflops", value=2 * size**3 / found.best("matmul") / 1e12, unit="TFLOPS")
