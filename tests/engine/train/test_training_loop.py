"""The loop over a fake engine: what is saved and logged when, and what stops it."""

import errno
import math

import numpy as np
import orjson
import pytest
import torch

from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.clock import StepClock
from reasonmill.engine.train.forecast import course_of
from reasonmill.engine.train.loop import Outcome, Ranks, Student, TrainingFault, train
from reasonmill.engine.train.rates import Rates
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepStream
from reasonmill.packing.balance import RowCost
from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.sampler import RowOrder


class FakeEngine:
    """Losses as told; the gradient is as long as the loss."""

    def __init__(self, loss_of=lambda call: 1.0 + call, norm_of=lambda loss: loss) -> None:
        self.calls = 0
        self.clock = StepClock(torch.device("cpu"))
        self.rates: list[float] = []
        self._loss_of, self._norm_of = loss_of, norm_of
        self._loss = 0.0

    def set_learning_rate(self, rate: float) -> None:
        self.rates.append(rate)

    def micro_step(self, scale: float, batch) -> torch.Tensor:
        self._loss = self._loss_of(self.calls)
        self.calls += 1
        for part in ("forward", "backward", "optimizer"):
            self.clock.lap(part)
        return torch.tensor(self._loss, dtype=torch.float64)

    def grad_norm(self) -> float:
        return self._norm_of(self._loss)

    def save(self, folder) -> dict:
        (folder / "state").write_text(str(self.calls))
        return {}


@pytest.fixture
def reader(tmp_path) -> PackedReader:
    writer = PackedWriter(tmp_path / "packed", max_length=10, window_documents=1)
    for number in range(6):
        writer.append(np.arange(10, dtype=np.uint32), np.ones(10, np.bool_), document=f"d{number}")
    writer.publish(writer.finish())
    return PackedReader(tmp_path / "packed")


def run(tmp_path, reader, engine, *, stop=lambda: False, save_due=lambda: False, first_step=0, **settings) -> Outcome:
    settings = TrainSettings(
        num_ranks=1, per_device_train_batch_size=2, **{"max_steps": 7, "save_steps": 3, **settings}
    )
    course = course_of(settings)
    stream = StepStream(
        reader,
        RowOrder(1, published_first=True),
        course,
        rank=0,
        agree=lambda decision: decision,
        stop_requested=stop,
        save_due=save_due,
    )
    ranks = Ranks(
        rank=0, world_size=1, device=torch.device("cpu"), gather=lambda numbers: [numbers], barrier=lambda: None
    )
    with StepLog(tmp_path / "metrics.jsonl", last_step=first_step) as log:
        return train(
            Student(engine=engine, reader=reader, cost=RowCost(), rates=Rates(num_ranks=1)),
            stream,
            settings=settings,
            ranks=ranks,
            checkpoints=CheckpointFolder(tmp_path / "checkpoints", keep=9),
            log=log,
            first_step=first_step,
            course={"seed": 1},
        )


def saved(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_training_ends_after_its_steps_and_saves_on_the_way(tmp_path, reader):
    engine = FakeEngine()
    assert run(tmp_path, reader, engine) == Outcome(step=7, finished=True)
    assert saved(tmp_path) == ["step-3", "step-6"]
    records = [orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines()]
    assert [record["step"] for record in records] == list(range(1, 8))
    assert [record["loss"] for record in records] == [(1.0 + call) / 18 for call in range(7)]
    assert {record["num_targets"] for record in records} == {18}
    assert {record["num_tokens"] for record in records} == {20}
    assert [record["learning_rate"] for record in records] == engine.rates
    assert [record["epoch"] for record in records] == pytest.approx([step / 3 for step in range(7)])


def test_a_stop_saves_what_was_not_saved_and_says_so(tmp_path, reader):
    engine = FakeEngine()
    outcome = run(tmp_path, reader, engine, stop=lambda: engine.calls >= 5)
    assert outcome == Outcome(step=5, finished=False)
    assert saved(tmp_path) == ["step-3", "step-5"]


def test_a_stop_right_after_a_checkpoint_saves_nothing_twice(tmp_path, reader):
    engine = FakeEngine()
    run(tmp_path, reader, engine, stop=lambda: engine.calls >= 3)
    assert (tmp_path / "checkpoints" / "step-3" / "state").read_text() == "3"
    assert saved(tmp_path) == ["step-3"]


def test_a_resumed_run_takes_the_rates_of_its_steps(tmp_path, reader):
    whole, resumed = FakeEngine(), FakeEngine()
    run(tmp_path / "whole", reader, whole)
    run(tmp_path / "resumed", reader, resumed, first_step=4)
    assert resumed.rates == whole.rates[4:]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_and_names_its_rows(tmp_path, reader, loss):
    engine = FakeEngine(loss_of=lambda call: loss if call == 2 else 1.0)
    with pytest.raises(TrainingFault, match=rf"step 3: loss sum {loss}.*row 4 \(d4\); row 5 \(d5\)"):
        run(tmp_path, reader, engine)


@pytest.mark.parametrize("norm", [0.0, math.nan])
def test_a_gradient_without_length_stops_training(tmp_path, reader, norm):
    with pytest.raises(TrainingFault, match=rf"step 1: .*gradient norm {norm}; in row 0 \(d0\)"):
        run(tmp_path, reader, FakeEngine(norm_of=lambda loss: norm))


def test_a_checkpoint_that_is_due_by_time_is_made_before_the_next_step(tmp_path, reader):
    engine = FakeEngine()
    due = iter([True, False, True, False, False, False, False])
    run(tmp_path, reader, engine, save_due=lambda: next(due), save_steps=0)
    assert saved(tmp_path) == ["step-2"], "nothing was learnt before the first"
    assert (tmp_path / "checkpoints" / "step-2" / "state").read_text() == "2"


def test_where_the_time_of_a_step_went_is_told(tmp_path, reader):
    run(tmp_path, reader, FakeEngine(), max_steps=2)
    for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines():
        record = orjson.loads(line)
        parts = [record[f"{part}_s"] for part in ("data_wait", "forward", "backward", "optimizer", "communication")]
        assert all(part >= 0.0 for part in parts)
        assert sum(parts) <= record["end_unix_s"] - record["start_unix_s"] + 1e-3
        assert record["tokens_per_s_per_rank"] == pytest.approx(20 / record["step_s"])
        assert record["lockstep_wait"] == 0.0
        assert record["lockstep_wait_planned"] == 0.0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda: OSError(errno.ENOSPC, "No space left on device"), "No space left"),
        (
            lambda: RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 128 vs 16"),
            "unexpected pos",
        ),
    ],
)
def test_a_disk_that_fills_up_while_saving_leaves_the_checkpoint_before_it(tmp_path, reader, fault, told):
    class Full(FakeEngine):
        def save(self, folder) -> dict:
            if self.calls > 3:
                (folder / "state").write_text("half")
                raise fault()
            return super().save(folder)

    with pytest.raises(OSError, match=rf"\.step-6\.partial' cannot be written, [\d,]+ MiB are free there: .*{told}"):
        run(tmp_path, reader, Full())
    checkpoints = CheckpointFolder(tmp_path / "checkpoints", keep=9)
    found, messages = checkpoints.newest()
    assert (found.step, messages) == (3, [])
    checkpoints.clean()
    assert saved(tmp_path) == ["step-3"], "nothing is left that fills the disk"


def test_what_is_wrong_besides_writing_is_not_said_to_be_the_disk(tmp_path, reader):
    class Lost(FakeEngine):
        def save(self, folder) -> dict:
            raise RuntimeError("Connection closed by peer")

    with pytest.raises(RuntimeError, match=r"^Connection closed by peer"):
        run(tmp_path, reader, Lost())
