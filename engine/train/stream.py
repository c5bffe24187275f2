"""Which rows make up each step, over a set that may still be growing. A function of step, seed and set alone: when rows
became available changes how long a step waited, never what is in it.

The first pass takes rows in the order in which they were published; the passes after it, which begin when the set is
finished, are shuffled by (seed, pass). Rank 0 decides and tells the others, so all ranks make equally many steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from reasonmill.packing.reader import PackedReader
from reasonmill.packing.sampler import RowOrder

_POLL_S = 0.05
_HEARTBEAT_S = 15.0  # the other ranks hear from rank 0 at least this often, far inside the collectives' time limit
_WAIT, _GO, _STOP, _END = range(4)


class Rows(Protocol):
    """What the stream needs of a packed set."""

    @property
    def num_rows(self) -> int:
        """Rows published."""

    @property
    def finished(self) -> bool:
        """Whether no more will come."""

    def refresh(self) -> bool:
        """Look again."""


@dataclass(frozen=True, kw_only=True)
class StepRows:
    """Rows of a global batch in order, and the pass over the set that the first of them belongs to."""

    rows: tuple[int, ...]
    epoch: float


class StepStream:
    """Rows of step after step. `agree` gives every rank the list that rank 0 passed."""

    def __init__(
        self,
        reader: PackedReader | Rows,
        *,
        rank: int,
        rows_per_step: int,
        max_steps: int | None,
        num_epochs: float,
        seed: int,
        order: RowOrder | None = None,
        agree: Callable[[list[int]], list[int]],
        stop_requested: Callable[[], bool],
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._reader = reader
        self._rank = rank
        self._rows_per_step = rows_per_step
        self._max_steps = max_steps
        self._num_epochs = num_epochs
        self._agree = agree
        self._stop_requested = stop_requested
        self._say = say
        self._order = order or RowOrder(seed)
        self.total_steps = max_steps or 0  # 0: not known before the set is finished

    def rows_of(self, step: int) -> StepRows | None:
        """Rows of step `step` (from 0), waiting until there are that many; None when a stop was asked for.

        Raises ValueError when the set is finished and holds no row.
        """
        while True:
            decision = self._agree(self._decide(step))
            kind, num_rows, finished = decision
            if kind == _STOP:
                return None
            if kind == _END:
                raise ValueError("the packed set is finished and has no rows")
            if kind == _GO:
                self._catch_up(num_rows, bool(finished))
                return self._step_rows(step, num_rows, bool(finished))

    def _decide(self, step: int) -> list[int]:
        """Rank 0's decision: what to do, and the rows and finish of the set that it is based on."""
        if self._rank:
            return [0, 0, 0]
        deadline = time.monotonic() + _HEARTBEAT_S
        while True:
            if self._stop_requested():
                return [_STOP, 0, 0]
            reader = self._reader
            if reader.finished and not reader.num_rows:
                return [_END, 0, 1]
            needed = (step + 1) * self._rows_per_step
            if reader.finished or (self._max_steps is not None and needed <= reader.num_rows):
                return [_GO, reader.num_rows, int(reader.finished)]
            if reader.refresh():
                continue
            if time.monotonic() > deadline:
                self._say(f"step {step + 1} waits for {needed} rows, {reader.num_rows} are published")
                return [_WAIT, 0, 0]
            time.sleep(_POLL_S)

    def _catch_up(self, num_rows: int, finished: bool) -> None:
        """See what rank 0 saw."""
        while self._reader.num_rows < num_rows or (finished and not self._reader.finished):
            if not self._reader.refresh():
                time.sleep(_POLL_S)

    def _step_rows(self, step: int, num_rows: int, finished: bool) -> StepRows:
        first = step * self._rows_per_step
        last = first + self._rows_per_step
        if self._max_steps is None:
            assert finished, "without max_steps training begins when the set is finished"
            all_rows = math.ceil(num_rows * self._num_epochs)
            self.total_steps = math.ceil(all_rows / self._rows_per_step)
            last = min(last, all_rows)
        rows = tuple(self._order.row(position, num_rows) for position in range(first, last))
        return StepRows(rows=rows, epoch=first / num_rows if finished else 0.0)


def share_of(rows: tuple[int, ...], *, rank: int, world_size: int, per_device: int, micro_step: int) -> tuple[int, ...]:
    """Rows of one rank's micro-batch: `per_device` neighbours out of the global batch; none past its end."""
    first = (micro_step * world_size + rank) * per_device
    return rows[first : first + per_device]
