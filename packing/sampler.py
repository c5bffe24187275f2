"""Which row comes when, over as many passes as are asked for: a function of seed, position and set alone, so that a
position is all there is to resume from.

The first pass takes rows in the order in which they were published, and may begin while the set grows, or is ordered
like the later ones; each of these has every row once in an order of its own, balanced where costs are known.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reasonmill.packing.balance import WINDOW_ROWS, balanced_order


class RowOrder:
    """The endless sequence of rows. `costs_of(num_rows)` gives the cost of each row; without it passes are shuffled.
    Micro-steps are `num_ranks` x `rows_per_rank` rows from position 0 on, across the ends of passes. Without
    `published_first` the set must be finished before the first row is asked for.
    """

    def __init__(
        self,
        seed: int,
        *,
        num_ranks: int = 1,
        rows_per_rank: int = 1,
        window_rows: int = WINDOW_ROWS,
        costs_of: Callable[[int], NDArray[np.float64]] | None = None,
        published_first: bool = True,
    ) -> None:
        self._seed = seed
        self._num_ranks = num_ranks
        self._rows_per_rank = rows_per_rank
        self._window_rows = window_rows
        self._costs_of = costs_of
        self._published_first = published_first
        self._cached: tuple[int, int, NDArray[np.int64]] = (-1, 0, np.zeros(0, np.int64))

    def row(self, position: int, num_rows: int) -> int:
        """Row at `position` of the sequence over `num_rows` rows."""
        epoch, place = divmod(position, num_rows)
        if epoch == 0 and self._published_first:
            return place
        if self._cached[:2] != (epoch, num_rows):
            self._cached = (epoch, num_rows, self._pass(epoch, num_rows))
        return int(self._cached[2][place])

    def _pass(self, epoch: int, num_rows: int) -> NDArray[np.int64]:
        if self._costs_of is None:
            return np.random.default_rng((self._seed, epoch)).permutation(num_rows)
        costs = self._costs_of(num_rows)
        assert len(costs) == num_rows, f"{len(costs)} costs for {num_rows} rows"
        return balanced_order(
            costs,
            num_ranks=self._num_ranks,
            rows_per_rank=self._rows_per_rank,
            window_rows=self._window_rows,
            seed=(self._seed, epoch),
            lead_rows=-epoch * num_rows % (self._num_ranks * self._rows_per_rank),
        )
