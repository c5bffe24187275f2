import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.train.stream import StepStream, share_of


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


def streams(sizes: list[int], num_ranks: int = 2, stop=lambda: False, **settings) -> list[StepStream]:
    told: list[list[int]] = []

    def agree(decision: list[int], rank: int) -> list[int]:
        if rank == 0:
            told.append(decision)
        return told[-1]

    defaults = {"rows_per_step": 4, "max_steps": None, "num_epochs": 1.0, "seed": 7}
    return [
        StepStream(
            GrowingSet(sizes),
            rank=rank,
            agree=lambda decision, rank=rank: agree(decision, rank),
            stop_requested=stop,
            **{**defaults, **settings},
        )
        for rank in range(num_ranks)
    ]


def steps(ranks: list[StepStream]) -> list[tuple[int, ...]]:
    taken: list[tuple[int, ...]] = []
    while not ranks[0].total_steps or len(taken) < ranks[0].total_steps:
        agreed = {stream.rows_of(len(taken)).rows for stream in ranks}
        assert len(agreed) == 1, "all ranks take the same step"
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
    assert rows[:num_rows] == list(range(num_rows))
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


@given(st.integers(0, 16), st.integers(1, 4), st.integers(1, 2), st.integers(1, 2))
def test_shares_split_a_batch_among_ranks_and_micro_steps(num_rows, world_size, per_device, accumulation):
    rows = tuple(range(min(num_rows, world_size * per_device * accumulation)))
    shares = [
        share_of(rows, rank=rank, world_size=world_size, per_device=per_device, micro_step=micro_step)
        for micro_step in range(accumulation)
        for rank in range(world_size)
    ]
    assert [row for share in shares for row in share] == list(rows)


def test_a_step_that_waits_says_what_for(monkeypatch):
    monkeypatch.setattr("reasonmill.engine.train.stream._HEARTBEAT_S", 0.0)
    said: list[str] = []
    stream = streams([0, 0, 3], num_ranks=1, max_steps=1, say=said.append)[0]
    grow = stream._reader.refresh
    stream._reader.refresh = lambda: grow() and stream._reader._look != 1
    assert stream.rows_of(0).rows[:3] == (0, 1, 2)
    assert said == ["step 1 waits for 4 rows, 0 are published"]
