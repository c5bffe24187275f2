"""Training on a run in progress, whose teacher is slower than the trainer, or faster: two ranks follow its packed rows
with the trainer's own loop, and a step costs as much as the test says.
"""

import threading
import time
from collections import Counter

import orjson
import pytest
import torch

from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.clock import StepClock
from reasonmill.engine.train.forecast import course_of
from reasonmill.engine.train.loop import Outcome, Ranks, Student, train
from reasonmill.engine.train.rates import Rates
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepStream
from reasonmill.packing.balance import RowCost
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.sampler import RowOrder

NUM_QUERIES, NUM_PASSES = 96, 2
RECIPE = """
run: {name: out, seed: 3, shard_queries: 32}
queries: {paths: [queries.jsonl]}
curate: {near_duplicate_threshold: null}
teachers:
  - {name: only, kind: scripted, script: script.jsonl, max_num_seqs: 1}
pack: {tokenizer: "embedded:tiny_teacher", max_length: 96, window_documents: 8}
"""
SETTINGS = TrainSettings(num_ranks=2, expected_rows=20, num_train_epochs=NUM_PASSES, gradient_accumulation_steps=2)


class Together:
    """What two ranks do at once, as collectives do: each gives its numbers and gets all."""

    def __init__(self) -> None:
        self._meeting = threading.Barrier(2, timeout=120)
        self._given: dict[int, list[float]] = {}

    def gather(self, rank: int, numbers: list[float]) -> list[list[float]]:
        self._given[rank] = numbers
        self._meeting.wait()
        found = [self._given[0], self._given[1]]
        self._meeting.wait()
        return found

    def break_off(self) -> None:
        self._meeting.abort()


class Engine:
    """Learns nothing; notes the rows of its micro-batches, and takes as long as `pause` does."""

    def __init__(self, reader: PackedReader, pause) -> None:
        self.clock = StepClock(torch.device("cpu"))
        self.rows: list[int] = []
        self.growing: list[bool] = []  # whether more rows were to come when a micro-step was made
        self._reader = reader
        self._pause = pause

    def set_learning_rate(self, rate: float) -> None:
        pass

    def micro_step(self, scale: float, batch) -> torch.Tensor:
        self._pause(len(self.growing))
        self.rows += batch.rows
        self.growing.append(not self._reader.finished)
        for part in ("forward", "backward", "optimizer"):
            self.clock.lap(part)
        return torch.tensor(1.0, dtype=torch.float64)

    def grad_norm(self) -> float:
        return 1.0

    def save(self, folder) -> dict:
        return {}


class Rank(threading.Thread):
    """One rank of the trainer, on the packed rows of a run that has yet to begin."""

    def __init__(self, rank: int, folder, together: Together, pause) -> None:
        super().__init__(daemon=True)
        self._rank, self._folder, self._together = rank, folder, together
        self._reader = PackedReader(folder / "out" / "packed")
        self.engine = Engine(self._reader, pause)
        self.outcome: Outcome | BaseException | None = None

    def run(self) -> None:
        try:
            self.outcome = self._train()
        except BaseException as error:  # noqa: BLE001 - the test tells what it was
            self.outcome = error
            self._together.break_off()

    def _train(self) -> Outcome:
        stream = StepStream(
            self._reader,
            RowOrder(SETTINGS.seed, num_ranks=2, published_first=True),
            course_of(SETTINGS),
            rank=self._rank,
            agree=lambda decision: [int(n) for n in self._together.gather(self._rank, list(decision))[0]],
            stop_requested=lambda: False,
        )
        ranks = Ranks(
            rank=self._rank,
            world_size=2,
            device=torch.device("cpu"),
            gather=lambda numbers: self._together.gather(self._rank, numbers),
            barrier=lambda: None,
        )
        with StepLog(self._folder / f"metrics-{self._rank}.jsonl", last_step=0) as log:
            return train(
                Student(engine=self.engine, reader=self._reader, cost=RowCost(), rates=Rates(num_ranks=2)),
                stream,
                settings=SETTINGS,
                ranks=ranks,
                checkpoints=CheckpointFolder(self._folder / "checkpoints", keep=1),
                log=log,
                first_step=0,
                course={},
            )


def write_inputs(folder, delay_s: float) -> None:
    queries, answers = [], []
    for number in range(NUM_QUERIES):
        sum_of = f"{number} + 5 = {number + 5}"
        queries.append(
            {
                "id": f"q{number}",
                "prompt": f"What is {number} + 5?",
                "category": "math",
                "ground_truth": str(number + 5),
            }
        )
        text = f"<think>{'So ' * (number % 9)}{sum_of}</think><answer>\\boxed{{{number + 5}}}</answer>"
        answers.append({"query_id": f"q{number}", "responses": [{"text": text, "delay_s": delay_s}]})
    for name, rows in (("queries", queries), ("script", answers)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)


def steps_of(folder, rank: int) -> list[dict]:
    return [orjson.loads(line) for line in (folder / f"metrics-{rank}.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("slower", ["teacher", "trainer"])
def test_whoever_is_slower_every_row_is_used_once_in_each_pass_and_the_ranks_end_together(tmp_path, reasonmill, slower):
    write_inputs(tmp_path, delay_s=0.03 if slower == "teacher" else 0.0)
    all_is_written, together = threading.Event(), Together()

    def pause(micro_steps: int) -> None:
        if slower == "trainer" and micro_steps >= 2:
            assert all_is_written.wait(120), "the run ends, however slow the trainer is"

    ranks = [Rank(rank, tmp_path, together, pause) for rank in range(2)]
    for rank in ranks:
        rank.start()
    status, out, err = reasonmill("run", "recipe.yaml", "--output-dir", "out")
    ended = time.time()
    all_is_written.set()
    for rank in ranks:
        rank.join(60)
    assert status == 0, out + err
    reader = PackedReader(tmp_path / "out" / "packed")
    assert reader.num_documents == NUM_QUERIES
    num_rows = reader.num_rows
    assert num_rows > 3 * SETTINGS.rows_per_step
    num_steps = -(-num_rows * NUM_PASSES // SETTINGS.rows_per_step)
    assert [rank.outcome for rank in ranks] == [Outcome(step=num_steps, finished=True)] * 2
    # every row once in each pass; and none twice in the steps that lie within one pass
    taken = [rank.engine.rows for rank in ranks]
    assert Counter(taken[0] + taken[1]) == dict.fromkeys(range(num_rows), NUM_PASSES)
    whole = num_rows // SETTINGS.rows_per_step
    first = {row for rows in taken for row in rows[: whole * SETTINGS.rows_per_step // 2]}
    assert first == set(range(whole * SETTINGS.rows_per_step)), "the first pass takes rows as they are published"
    for steps in (steps_of(tmp_path, 0), steps_of(tmp_path, 1)):
        assert [step["step"] for step in steps] == list(range(1, num_steps + 1))
        before = [step for step in steps if step["end_unix_s"] < ended]
        if slower == "teacher":
            assert len(before) >= 2, "training overlaps with generation"
            assert ranks[0].engine.growing[0], "it began before the last row was packed"
        else:
            assert len(before) <= 1, "the trainer is still at its first steps"
    assert not ranks[0].engine.growing[-1]
