"""The rows of one step: what they hold, who takes which of them when, and whom a bad loss accuses. The same on every
rank, from the set's tables alone; no token is read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.balance import RowCost, share_out
from reasonmill.packing.reader import PackedReader


@dataclass(frozen=True, kw_only=True, eq=False)
class GlobalBatch:
    """R rows. `shares` int64[micro-steps, ranks that read, rows]: places among `rows`, -1 for none; `costs` float64[R];
    `squares` the sum of all documents' squared lengths.
    """

    rows: tuple[int, ...]
    shares: NDArray[np.int64]
    costs: NDArray[np.float64]
    num_tokens: int
    squares: int
    num_targets: int
    ranks_a_row: int

    def rows_of(self, rank: int) -> list[list[int]]:
        """Rows of each of a rank's micro-batches."""
        return [self._rows(of_ranks[rank // self.ranks_a_row]) for of_ranks in self.shares]

    def planned_wait(self) -> float:
        """Share of the step that the mean rank would wait if rows took what they cost."""
        of_ranks = np.where(self.shares >= 0, np.append(self.costs, 0.0)[self.shares], 0.0).sum(axis=2)
        longest = of_ranks.max(axis=1).sum()
        return float(1.0 - of_ranks.mean(axis=1).sum() / longest) if longest else 0.0

    def suspects(self, losses: NDArray[np.float64]) -> list[int]:
        """Rows of the micro-batches whose loss is not finite, `losses` being [ranks, micro-steps]; all rows where each
        is.
        """
        found: set[int] = set()
        for rank, micro_step in np.argwhere(~np.isfinite(losses)):
            found.update(self._rows(self.shares[micro_step][rank // self.ranks_a_row]))
        return sorted(found) or list(dict.fromkeys(self.rows))

    def _rows(self, places: NDArray[Any]) -> list[int]:
        return [self.rows[place] for place in places.tolist() if place >= 0]


def global_batch(reader: PackedReader, rows: tuple[int, ...], settings: TrainSettings, cost: RowCost) -> GlobalBatch:
    """The rows shared out over the ranks by cost."""
    lengths = [reader.lengths_of(row) for row in rows]
    tokens = np.array([of_row.sum() for of_row in lengths], np.int64)
    squares = np.array([(of_row * of_row).sum() for of_row in lengths], np.int64)
    costs = cost.of_rows(tokens, squares)
    return GlobalBatch(
        rows=rows,
        shares=share_out(
            costs,
            num_ranks=settings.num_ranks // settings.sequence_parallel_size,
            rows_per_rank=settings.per_device_train_batch_size,
            num_micro_steps=settings.gradient_accumulation_steps,
        ),
        costs=costs,
        num_tokens=int(tokens.sum()),
        squares=int(squares.sum()),
        num_targets=sum(reader.row_targets(row) for row in rows),
        ranks_a_row=settings.sequence_parallel_size,
    )
