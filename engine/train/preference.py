"""Training on preferences: rows of pairs, with what the model thought of each response before training began."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reasonmill.engine.train.batches import MicroBatch, batch_of
from reasonmill.engine.train.preference_loss import FIGURES, PairTargets, PreferenceLoss, common_targets
from reasonmill.packing.pairs import PairReader
from reasonmill.packing.reader import PackedRow


@dataclass(frozen=True, kw_only=True)
class PairBatch(MicroBatch):
    """A micro-batch of pairs, each of them two documents."""

    pairs: PairTargets

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What `PreferenceLoss.forward` takes."""
        return self.input_ids, self.position_ids, self.labels, self.documents, self.pairs


class Preferences:
    """The mean is over pairs. `reference` float32[D, 2, 2] is by the pairs' numbers (see PairTargets); without it the
    module is asked for log-probabilities.
    """

    unit = "num_pairs"

    def __init__(
        self, reader: PairReader, module: PreferenceLoss, reference: NDArray[np.float32] | None = None
    ) -> None:
        self._reader = reader
        self._module = module
        self._reference = reference

    def num_units(self, row: int) -> int:
        """Pairs of a row."""
        return self._reader.row_pairs(row)

    def batch(self, rows: Sequence[int], device: torch.device | str) -> PairBatch:
        """Inputs of PreferenceLoss."""
        read = self._reader.rows(rows)
        made = batch_of(read, rows, device)
        return PairBatch(
            rows=made.rows,
            input_ids=made.input_ids,
            position_ids=made.position_ids,
            labels=made.labels,
            documents=made.documents,
            pairs=self._targets(read, device),
        )

    def take_figures(self) -> dict[str, float]:
        """Sums of rewards, margins and of pairs whose chosen response has the larger reward."""
        return dict(zip(FIGURES, self._module.take_figures(), strict=True))

    def _targets(self, read: PackedRow, device: torch.device | str) -> PairTargets:
        if not read.documents:
            return PairTargets(lengths=(), is_common=torch.zeros(1, dtype=torch.bool, device=device), reference=None)
        known = None
        if self._reference is not None:
            known = torch.from_numpy(self._reference[list(read.documents)]).to(device)
        return PairTargets(
            lengths=tuple(np.diff(read.cu_seqlens).tolist()),
            is_common=torch.from_numpy(common_targets(read.labels, read.cu_seqlens)).to(device),
            reference=known,
        )
