"""Which rows make up each step, over a set that may still be growing. A function of step, settings and set alone: when
rows became available changes how long a step waited, never what is in it.

A run that streams (`max_steps`, or `expected_rows`) takes its first pass in the order in which rows are published and
begins with the first of them; any other waits for the finished set and orders every pass by (seed, pass). Each pass has
every row once. Rank 0 decides and tells the others, so all ranks make equally many steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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
class Course:
    """How long training goes on: `max_steps`, or `num_epochs` passes. `expected_rows` is how many rows a set that still
    grows will have: with it a training by passes begins at once, and its schedule is drawn for so many.
    """

    rows_per_step: int
    num_epochs: float
    max_steps: int | None = None
    expected_rows: int | None = None

    @property
    def streams(self) -> bool:
        """Whether training begins before the set is finished."""
        return self.max_steps is not None or self.expected_rows is not None

    def steps_over(self, num_rows: int) -> int:
        """Steps over a finished set."""
        if self.max_steps is not None:
            return self.max_steps
        return math.ceil(self.rows_over(num_rows) / self.rows_per_step)

    def rows_over(self, num_rows: int) -> int:
        """Rows that passes over a finished set take."""
        return math.ceil(num_rows * self.num_epochs)


@dataclass(frozen=True, kw_only=True)
class StepRows:
    """Rows of a global batch in order; the pass over the set that the first of them belongs to; how far the schedule
    has come, as a step of `StepStream.schedule_steps`; and whether a checkpoint is due before the step.
    """

    rows: tuple[int, ...]
    epoch: float
    schedule_step: float
    save_first: bool = False


class StepStream:
    """Rows of step after step. `agree` gives every rank the list that rank 0 passed; `save_due` is asked on rank 0."""

    def __init__(
        self,
        reader: Rows,
        order: RowOrder,
        course: Course,
        *,
        rank: int,
        agree: Callable[[list[int]], list[int]],
        stop_requested: Callable[[], bool],
        save_due: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._reader = reader
        self._order = order
        self._course = course
        self._rank = rank
        self._agree = agree
        self._stop_requested = stop_requested
        self._save_due = save_due
        self._say = say
        self.total_steps = course.max_steps or 0  # 0: not known before the set is finished

    @property
    def schedule_steps(self) -> int:
        """Steps that the schedule is drawn for; 0 while neither they nor the rows to come are known."""
        if self._course.expected_rows is not None and self._course.max_steps is None:
            return self._course.steps_over(self._course.expected_rows)
        return self.total_steps

    def rows_of(self, step: int) -> StepRows | None:
        """Rows of step `step` (from 0), waiting until there are that many; None when a stop was asked for, and where
        the finished set turns out to have no such step.

        Raises ValueError when the set is finished and holds no row.
        """
        while True:
            kind, num_rows, finished, save_first = self._agree(self._decide(step))
            if kind == _STOP:
                return None
            if kind == _END:
                raise ValueError("the packed set is finished and has no rows")
            if kind == _GO:
                self._catch_up(num_rows, bool(finished))
                return self._step_rows(step, num_rows, bool(finished), bool(save_first))

    def _decide(self, step: int) -> list[int]:
        """Rank 0's decision: what to do, the rows and finish of the set that it is based on, whether to save first."""
        if self._rank:
            return [0, 0, 0, 0]
        deadline = time.monotonic() + _HEARTBEAT_S
        while True:
            if self._stop_requested():
                return [_STOP, 0, 0, 0]
            reader = self._reader
            if reader.finished and not reader.num_rows:
                return [_END, 0, 1, 0]
            needed = (step + 1) * self._course.rows_per_step
            if reader.finished or (self._course.streams and needed <= reader.num_rows):
                return [_GO, reader.num_rows, int(reader.finished), int(self._save_due())]
            if reader.refresh():
                continue
            if time.monotonic() > deadline:
                self._say(f"step {step + 1} waits for {self._awaited(needed)}, {reader.num_rows} rows are published")
                return [_WAIT, 0, 0, 0]
            time.sleep(_POLL_S)

    def _awaited(self, needed: int) -> str:
        return f"{needed} rows" if self._course.streams else "the end of the set"

    def _catch_up(self, num_rows: int, finished: bool) -> None:
        """See what rank 0 saw."""
        while self._reader.num_rows < num_rows or (finished and not self._reader.finished):
            if not self._reader.refresh():
                time.sleep(_POLL_S)

    def _step_rows(self, step: int, num_rows: int, finished: bool, save_first: bool) -> StepRows | None:
        course = self._course
        first = step * course.rows_per_step
        last = first + course.rows_per_step
        if course.max_steps is None and finished:
            self.total_steps = course.steps_over(num_rows)
            last = min(last, course.rows_over(num_rows))
            if last <= first:
                return None
        rows = tuple(self._order.row(position, num_rows) for position in range(first, last))
        return StepRows(
            rows=rows,
            epoch=first / num_rows if finished else 0.0,
            schedule_step=self._schedule_step(step, num_rows, finished),
            save_first=save_first,
        )

    def _schedule_step(self, step: int, num_rows: int, finished: bool) -> float:
        """Steps of the first pass count as drawn for the expected rows, whenever the set was finished; those behind it
        are spread over what is then left of the schedule.
        """
        if self._course.max_steps is not None or not self._course.streams:
            return float(step)
        drawn = self.schedule_steps
        first_pass = num_rows // self._course.rows_per_step
        if not finished and step == drawn and not self._rank:
            self._say(
                f"expected_rows: {self._course.expected_rows} were expected, and more come: until the set is finished"
                " the learning rate stays at the end of its schedule"
            )
        if not finished or step < first_pass:
            return float(min(step, drawn))
        begun = min(first_pass, drawn)
        return begun + (step - first_pass) * (drawn - begun) / max(1, self.total_steps - first_pass)
