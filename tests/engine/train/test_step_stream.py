import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.train.stream import Course, StepStream
from reasonmill.packing.sampler import RowOrder


class GrowingSet:
    """A set that grows by one published batch at each look."""

    def __init__(self, sizes: list[int]) -> None:
        self._sizes = sizes
        self._look = 0

    @property
    def num_rows(self) -> int:
        return self._sizes[min(self._look, len(self._sizes) - 1)]

    @property
    def finished(self) -> bool:
        return self._look >= len(self._sizes)

    def refresh(self) -> bool:
        self._look += 1
        return True


def streams(
    sizes: list[int], num_ranks: int = 2, stop=lambda: False, say=lambda line: None, **course
) -> list[StepStream]:
    told: list[list[int]] = []

    def agree(decision: list[int], rank: int) -> list[int]:
        if rank == 0:
            told.append(decision)
        return told[-1]

    course = Course(**{"rows_per_step": 4, "num_epochs": 1.0, **course})
    return [
        StepStream(
            GrowingSet(sizes),
            RowOrder(7, published_first=course.streams),
            course,
            rank=rank,
            agree=lambda decision, rank=rank: agree(decision, rank),
            stop_requested=stop,
            say=say,
        )
        for rank in range(num_ranks)
    ]


def steps(ranks: list[StepStream]) -> list[tuple[int, ...]]:
    taken: list[tuple[int, ...]] = []
    while not ranks[0].total_steps or len(taken) < ranks[0].total_steps:
        agreed = {None if step is None else step.rows for step in (stream.rows_of(len(taken)) for stream in ranks)}
        assert len(agreed) == 1, "all ranks take the same step"
        if agreed == {None}:
            break
        taken.append(agreed.pop())
    assert {stream.total_steps for stream in ranks} == {len(taken)}
    return taken


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(1, 30))
def test_when_rows_arrive_does_not_change_what_a_step_holds(growth, max_steps):
    sizes = [sum(growth[: index + 1]) for index in range(len(growth))]
    if not sizes[-1]:
        return
    assert steps(streams(sizes, max_steps=max_steps)) == steps(streams([sizes[-1]], max_steps=max_steps))


@given(st.integers(1, 50), st.integers(1, 3), st.integers(1, 7))
def test_every_pass_takes_every_row_once(num_rows, num_epochs, rows_per_step):
    rows = [
        r
        for step in steps(streams([num_rows], num_epochs=float(num_epochs), rows_per_step=rows_per_step))
        for r in step
    ]
    for epoch in range(num_epochs):
        assert sorted(rows[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))


def test_a_stop_ends_the_stream_on_all_ranks_even_while_there_is_nothing_to_read():
    asked = []
    ranks = streams([0] * 3, max_steps=5, stop=lambda: bool(asked))
    ranks[0]._reader.refresh = lambda: asked.append(1) or True
    assert [stream.rows_of(0) for stream in ranks] == [None, None]


def test_a_finished_set_without_rows_is_an_error():
    for stream in streams([0], max_steps=5):
        with pytest.raises(ValueError, match="finished and has no rows"):
            stream.rows_of(0)


def test_a_step_that_waits_says_what_for(monkeypatch):
    monkeypatch.setattr("reasonmill.engine.train.stream._HEARTBEAT_S", 0.0)
    said: list[str] = []
    stream = streams([0, 0, 3], num_ranks=1, say=said.append, max_steps=1)[0]
    grow = stream._reader.refresh
    stream._reader.refresh = lambda: grow() and stream._reader._look != 1
    assert stream.rows_of(0).rows[:3] == (0, 1, 2)
    assert said == ["step 1 waits for 4 rows, 0 rows are published"]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(1, 60), st.sampled_from([1.0, 2.0, 2.5]))
def test_a_growing_set_is_passed_over_as_often_as_asked_whatever_was_expected(growth, expected_rows, num_epochs):
    sizes = [sum(growth[: index + 1]) for index in range(len(growth))]
    num_rows = sizes[-1]
    if not num_rows:
        return
    slow, fast = (
        steps(streams(grown, expected_rows=expected_rows, num_epochs=num_epochs)) for grown in (sizes, [num_rows])
    )
    assert slow == fast
    taken = [row for step in slow for row in step]
    assert len(taken) == math.ceil(num_rows * num_epochs)
    assert taken[:num_rows] == list(range(len(taken[:num_rows])))
    for epoch in range(int(num_epochs)):
        assert sorted(taken[epoch * num_rows : (epoch + 1) * num_rows]) == list(range(num_rows))


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1.0, 2.0, 2.5]))
def test_the_schedule_comes_to_its_end_with_the_last_step_and_never_goes_back(num_rows, expected_rows, num_epochs):
    found = []
    for grown in ([num_rows], [num_rows // 2, num_rows]):
        stream = streams(grown, num_ranks=1, expected_rows=expected_rows, num_epochs=num_epochs)[0]
        places = []
        while (rows := stream.rows_of(len(places))) is not None:
            places.append(rows.schedule_step)
        assert len(places) == stream.total_steps
        assert all(a <= b for a, b in pairwise(places))
        assert 0.0 <= places[0] <= places[-1] <= stream.schedule_steps
        found.append(places)
    assert found[0] == found[1], "when the set was finished does not count"
    if num_rows == expected_rows:
        assert found[0] == list(range(len(found[0])))


def test_more_rows_than_expected_are_told_once():
    said: list[str] = []
    streamed = streams([4, 8, 12, 16, 20], num_ranks=1, say=said.append, expected_rows=8)
    assert len(steps(streamed)) == 5
    assert len(said) == 1
    assert said[0].startswith("expected_rows: 8 were expected, and more come")


def test_a_set_that_is_awaited_whole_is_ordered_anew_in_every_pass():
    taken = steps(streams([0, 24, 40], num_epochs=2.0))
    rows = [row for step in taken for row in step]
    assert rows[:40] != list(range(40))
    assert rows[:40] != rows[40:]
    assert sorted(rows[:40]) == sorted(rows[40:]) == list(range(40))


def test_a_checkpoint_that_is_due_is_told_to_all_ranks():
    ranks = streams([40], max_steps=3)
    due = iter([False, True, False])
    ranks[0]._save_due = lambda: next(due)
    told = [[stream.rows_of(step).save_first for stream in ranks] for step in range(3)]
    assert told == [[False, False], [True, True], [False, False]]
