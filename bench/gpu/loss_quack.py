"""The head's loss beside QuACK's (Hopper and Blackwell only), at the shapes of loss.py."""

from collections.abc import Iterator

from torch import Tensor

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of
from reasonmill.bench.gpu.loss import SHAPES, contest, inputs, ours


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Few rows first: the larger ones take the kernels that these have compiled."""
    device = device_of(dry_run)
    for num_rows in (8,) if dry_run else (2048, 16384):
        for shape, (width, columns) in ({"tiny": (16, 97)} if dry_run else SHAPES).items():
            tensors = inputs(num_rows, width, columns, device)
            yield from contest(f"{shape}_{num_rows}", {"ours": ours, "quack": _quack}, *tensors, dry_run)


def _quack(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    from quack.linear_cross_entropy import chunked_linear_cross_entropy

    loss: Tensor = chunked_linear_cross_entropy(hidden, head, labels, reduction="sum")
    return loss
