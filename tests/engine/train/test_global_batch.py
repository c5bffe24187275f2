import numpy as np
import pytest

from reasonmill.engine.train.global_batch import global_batch
from reasonmill.engine.train.objective import Supervised
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.balance import RowCost
from reasonmill.packing.dataset import PackedReader, PackedWriter

LENGTHS = (40, 3, 12, 12, 33, 5, 20, 9)


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> PackedReader:
    folder = tmp_path_factory.mktemp("batch") / "packed"
    writer = PackedWriter(folder, max_length=40, window_documents=1)
    for number, length in enumerate(LENGTHS):
        writer.append(np.zeros(length, np.uint32), np.arange(length) > 1, document=f"d{number}")
    writer.publish(writer.finish())
    return PackedReader(folder)


def settings(**changed) -> TrainSettings:
    return TrainSettings(**{"num_ranks": 2, "gradient_accumulation_steps": 2, **changed})


def test_every_row_is_in_one_micro_batch_whoever_reads_it(reader):
    for changed in ({}, {"num_ranks": 1, "gradient_accumulation_steps": 4}, {"per_device_train_batch_size": 2}):
        chosen = settings(**changed)
        batch = global_batch(reader, (5, 0, 7, 2), chosen, RowCost())
        of_ranks = [batch.rows_of(rank) for rank in range(chosen.num_ranks)]
        assert len({len(of_rank) for of_rank in of_ranks}) == 1, "as many micro-steps on every rank"
        taken = [row for of_rank in of_ranks for micro in of_rank for row in micro]
        assert sorted(taken) == [0, 2, 5, 7]
        assert (batch.num_tokens, batch.squares) == (66, 40**2 + 12**2 + 5**2 + 9**2)
        assert batch.num_targets == sum(reader.row_targets(row) for row in (5, 0, 7, 2))


def test_ranks_that_share_rows_read_the_same(reader):
    shared = settings(num_ranks=4, sequence_parallel_size=2)
    batch = global_batch(reader, (0, 1, 2, 3), shared, RowCost())
    assert batch.rows_of(0) == batch.rows_of(1) == [[0], [3]]
    assert batch.rows_of(2) == batch.rows_of(3) == [[2], [1]]


def test_samples_are_counted_where_they_count_alike(reader):
    assert sum(Supervised(reader, by_sample=True).num_units(row) for row in (0, 1, 2)) == 3
    assert Supervised(reader).num_units(0) == reader.row_targets(0)


def test_the_wait_that_costs_foretell_is_the_mean_rank_s(reader):
    batch = global_batch(reader, (0, 4, 2, 3), settings(), RowCost(quadratic=0.0))
    # 40 beside 33, then 12 beside 12
    assert batch.planned_wait() == pytest.approx(1 - (36.5 + 12) / (40 + 12))


def test_a_loss_that_is_no_number_accuses_the_rows_of_its_micro_batch(reader):
    batch = global_batch(reader, (0, 1, 2, 4), settings(), RowCost())
    losses = np.ones((2, 2))
    assert batch.suspects(losses) == [0, 1, 2, 4], "nobody, so all"
    losses[1, 0] = np.nan
    assert batch.suspects(losses) == batch.rows_of(1)[0]
