"""What a student is trained on: what a row adds to the mean that is the loss, and what a micro-batch of rows is.

One objective is that of samples (supervised, here), the other that of preferences (preference.py).
"""

from collections.abc import Sequence
from typing import Protocol

import torch

from reasonmill.engine.train.batches import MicroBatch, micro_batch
from reasonmill.packing.reader import PackedReader


class Objective(Protocol):
    """What the loop asks."""

    @property
    def unit(self) -> str:
        """What the loss is a mean over, as the name of a figure."""
        ...

    def num_units(self, row: int) -> int:
        """How many of them a row holds."""
        ...

    def batch(self, rows: Sequence[int], device: torch.device | str) -> MicroBatch:
        """The rows' tensors; without rows one token that counts nothing, so that all ranks make the same calls."""
        ...

    def take_figures(self) -> dict[str, float]:
        """Sums over this rank's units since the last call, by name; their means are logged. Always the same names."""
        ...


class Supervised:
    """The mean is over the targets of samples; `by_sample`: over samples, whose targets weigh 1 together."""

    def __init__(self, reader: PackedReader, *, by_sample: bool = False) -> None:
        self.unit = "num_samples" if by_sample else "num_targets"
        self._reader = reader
        self._by_sample = by_sample

    def num_units(self, row: int) -> int:
        """Targets of a row, or its samples."""
        return len(self._reader.lengths_of(row)) if self._by_sample else self._reader.row_targets(row)

    def batch(self, rows: Sequence[int], device: torch.device | str) -> MicroBatch:
        """Inputs of StudentLoss."""
        return micro_batch(self._reader, rows, device, by_sample=self._by_sample)

    def take_figures(self) -> dict[str, float]:
        """None."""
        return {}
