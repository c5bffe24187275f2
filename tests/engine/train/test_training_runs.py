"""Real runs: torchrun, two gloo ranks, DeepSpeed ZeRO-3, on rows of byte-level conversations."""

import asyncio
import contextlib
import math
import os
import re
import signal
import threading
import time
from pathlib import Path

import orjson
import pytest
import torch

from reasonmill.engine.train.batches import micro_batch
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.dimensions import dimensions_of
from reasonmill.engine.train.launcher import EXIT_FINISHED, EXIT_STOPPED, TrainerProcess
from reasonmill.engine.train.loss import StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.schedule import Schedule, warmup_steps
from reasonmill.engine.train.settings import ModelShape, TrainSettings, ZeroSettings
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.sampler import RowOrder

pytestmark = pytest.mark.filterwarnings("ignore")

torch.set_num_threads(1)  # two threads on two busy cores wait for each other

SHAPE = ModelShape(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    intermediate_size=64,
)
NUM_DOCUMENTS = 64
PASSES = 2.25
# rows of 128 tokens; the threshold leaves the matrices partitioned and keeps the norms whole
COMMON = {
    "model": SHAPE,
    "learning_rate": 3e-3,
    "gradient_accumulation_steps": 2,
    "bf16": False,
    "weight_decay": 0.01,
    "max_grad_norm": 0.5,
    "save_steps": 2,
    "zero": ZeroSettings(stage3_param_persistence_threshold=500),
}


def document(number: int) -> tuple[str, list[tuple[str, str]]]:
    answer = " ".join(str(number * factor % 97) for factor in range(1, 3 + number % 7))
    return f"d{number}", [("user", f"{number}?"), ("assistant", f"<think>{answer}</think>{number}")]


def pack(folder: Path, tokenizer: Path, go_on=lambda num_rows: None) -> None:
    """Write and publish the documents, eight at a time; `go_on` is called with the rows published so far."""
    encoder = ChatEncoder(tokenizer)
    writer = PackedWriter(folder, max_length=128, window_documents=8)
    for start in range(0, NUM_DOCUMENTS, 8):
        for number in range(start, start + 8):
            name, turns = document(number)
            encoded = encoder.encode(turns)
            assert writer.append(encoded.input_ids, encoded.target, document=name)
        writer.publish(writer.sync())
        go_on(writer.num_rows)
    writer.publish(writer.finish())


def configure(folder: Path, tokenizer: Path, packed: Path, **settings) -> TrainConfig:
    config = TrainConfig(
        packed=str(packed),
        output_dir=str(folder / "train"),
        student_dir=str(folder / "student"),
        tokenizer=str(tokenizer),
        settings=TrainSettings(**{**COMMON, **settings}),
    )
    config.write(folder / "train" / "config.json")
    return config


def trainer(folder: Path, num_ranks: int = 2) -> TrainerProcess:
    return TrainerProcess(folder / "train" / "config.json", folder / "train.log", num_ranks)


async def run_to_end(folder: Path) -> int:
    process = trainer(folder)
    await process.start()
    return await asyncio.wait_for(process.wait(), 240)


def steps_of(folder: Path) -> list[dict]:
    path = folder / "train" / "metrics.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def checkpoints_of(folder: Path) -> list[int]:
    found = (folder / "train" / "checkpoints").glob("step-*/complete.json")
    return sorted(int(path.parent.name.removeprefix("step-")) for path in found)


def turn_a_bit(folder: Path, pattern: str) -> int:
    """In a file of the newest whole checkpoint; returns its step."""
    step = checkpoints_of(folder)[-1]
    (path,) = (folder / "train" / "checkpoints" / f"step-{step}" / "state").glob(pattern)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return step


def previous(folder: Path) -> int:
    return checkpoints_of(folder)[-2]


async def until(condition, process: TrainerProcess | None = None, seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or Path(f"/proc/{process.pid}").exists(), "the trainer ended"
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.05)


def reference(config: TrainConfig, total_steps: int) -> list[tuple[float, float]]:
    """Losses and gradient norms of the same training in one process, in plain torch."""
    settings = config.settings
    reader = PackedReader(config.packed)
    cost = dimensions_of(settings.model, vocab_size=261).row_cost
    order = RowOrder(settings.seed, num_ranks=2, costs_of=lambda num_rows: cost.of_rows(*reader.row_sums(num_rows)))
    model = build_model(settings.model, vocab_size=261, seed=settings.seed, dtype=torch.float32)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}])
    warmup = warmup_steps(settings.warmup_ratio, total_steps)
    schedule = Schedule(kind="cosine", peak=settings.learning_rate, warmup_steps=warmup, total_steps=total_steps)
    positions = range(math.ceil(reader.num_rows * settings.num_train_epochs))
    figures = []
    for step in range(total_steps):
        taken = positions[step * settings.rows_per_step : (step + 1) * settings.rows_per_step]
        batch = micro_batch(reader, [order.row(position, reader.num_rows) for position in taken])
        optimizer.zero_grad()
        loss = StudentLoss(model, fused=False)(batch.input_ids, batch.position_ids, batch.labels, batch.documents)
        loss = loss / (batch.labels >= 0).sum()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate(step)
        optimizer.step()
        figures.append((loss.item(), norm.item()))
    return figures


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, TrainConfig, Path]:
    """A run over a set that was finished before, two passes and a part of one; its last global batch is too short for
    all ranks.
    """
    folder = tmp_path_factory.mktemp("undisturbed")
    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    pack(folder / "packed", tokenizer)
    num_rows = PackedReader(folder / "packed").num_rows
    config = configure(folder, tokenizer, folder / "packed", num_train_epochs=PASSES, expected_rows=num_rows)
    status = asyncio.run(run_to_end(folder))
    assert status == EXIT_FINISHED, (folder / "train.log").read_text()
    return folder, config, tokenizer


def test_two_zero3_ranks_train_like_one_process_also_when_a_rank_has_no_rows(undisturbed):
    folder, config, _ = undisturbed
    steps = steps_of(folder)
    rows = math.ceil(PackedReader(config.packed).num_rows * PASSES)
    assert 0 < rows % 4 < 3, "the last batch leaves a rank or a micro-batch empty"
    assert [step["step"] for step in steps] == list(range(1, -(-rows // 4) + 1))
    expected = reference(config, len(steps))
    assert [step["loss"] for step in steps] == pytest.approx([loss for loss, _ in expected], rel=2e-5)
    assert [step["grad_norm"] for step in steps] == pytest.approx([norm for _, norm in expected], rel=2e-4)
    assert steps[-1]["loss"] < steps[0]["loss"]


def test_the_student_is_a_folder_that_transformers_loads_with_the_trained_weights(undisturbed):
    folder, config, _ = undisturbed
    trained = build_model(str(folder / "student"), vocab_size=261, seed=0, dtype=torch.float32)
    initial = build_model(str(folder / "train" / "initial"), vocab_size=261, seed=0, dtype=torch.float32)
    fresh = build_model(SHAPE, vocab_size=261, seed=config.settings.seed, dtype=torch.float32)
    assert all(torch.equal(a, b) for a, b in zip(initial.parameters(), fresh.parameters(), strict=True))
    reader = PackedReader(config.packed)
    batch = micro_batch(reader, range(reader.num_rows))
    losses = [
        StudentLoss(model)(batch.input_ids, batch.position_ids, batch.labels, batch.documents).item()
        for model in (initial, trained)
    ]
    assert losses[1] < 0.9 * losses[0]
    assert (folder / "student" / "tokenizer_config.json").exists()
    assert len({path.stat().st_mode for path in (folder / "student").iterdir()}) == 1  # all can be read by the same


def test_every_row_of_a_pass_counts_once(undisturbed):
    folder, config, _ = undisturbed
    reader, steps = PackedReader(config.packed), steps_of(folder)
    of_pass = [step for step in steps if step["step"] * 4 <= reader.num_rows]
    assert reader.num_rows % 4 == 0 or len(of_pass) < len(steps)
    taken = range(4 * len(of_pass))
    assert sum(step["num_targets"] for step in of_pass) == sum(reader.row_targets(row) for row in taken)
    assert all(0.0 <= step["lockstep_wait"] < 1.0 and step["mfu"] > 0.0 for step in steps)
    assert len(list((folder / "train" / "tensorboard").iterdir())) == 1


def test_a_run_that_lost_a_rank_and_changed_their_number_over_a_growing_set_ends_with_the_same_losses(
    undisturbed, tmp_path
):
    whole, config, tokenizer = undisturbed
    expected = steps_of(whole)
    options = {"num_train_epochs": PASSES, "expected_rows": config.settings.expected_rows}

    may_finish = threading.Event()

    def until_used_up(num_rows: int) -> None:
        deadline = time.monotonic() + 200
        while len(steps_of(tmp_path)) < min(5, num_rows // 4) and time.monotonic() < deadline:
            time.sleep(0.02)
        if num_rows >= 20:
            may_finish.wait(200)

    slow_writer = threading.Thread(target=pack, args=(tmp_path / "packed", tokenizer, until_used_up))

    async def stopped_at(step: int, num_ranks: int) -> None:
        process, started = trainer(tmp_path, num_ranks), time.time()
        await process.start()
        await until(lambda: any(made["step"] >= step for made in steps_of(tmp_path) if made["start_unix_s"] > started))
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == EXIT_STOPPED

    async def disturbed() -> int:
        # recomputing activations must not change a bit either
        configure(tmp_path, tokenizer, tmp_path / "packed", **options, gradient_checkpointing=True)
        first = trainer(tmp_path)
        await first.start()
        slow_writer.start()
        await until(lambda: len(steps_of(tmp_path)) >= 5, first)
        ranks = children_of(first.pid)
        assert not PackedReader(tmp_path / "packed").finished, "the trainer waits for the writer"
        os.kill(ranks[1], signal.SIGKILL)
        may_finish.set()
        assert await asyncio.wait_for(first.wait(), 60) not in (EXIT_FINISHED, EXIT_STOPPED)
        assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
        (tmp_path / "train" / "checkpoints" / "step-99").mkdir()  # half a checkpoint, newer than the whole ones
        assert turn_a_bit(tmp_path, "*rank_1*model_states.pt") == 4
        await stopped_at(7, 2)
        assert turn_a_bit(tmp_path, "*rank_1*optim_states.pt") == len(steps_of(tmp_path))
        by_two = previous(tmp_path)
        configure(tmp_path, tokenizer, tmp_path / "packed", **options, num_ranks=1, gradient_accumulation_steps=4)
        await stopped_at(by_two + 2, 1)
        configure(tmp_path, tokenizer, tmp_path / "packed", **options)
        assert await run_to_end(tmp_path) == EXIT_FINISHED
        return by_two

    by_two = asyncio.run(disturbed())
    slow_writer.join()
    log = (tmp_path / "train.log").read_text()
    assert "step-99' is passed over: complete.json is missing" in log
    damaged = re.findall(r"(step-\d+)' is passed over: state/(\S+) is damaged: its checksum is not", log)
    assert [name.rpartition("_")[2] for _, name in damaged] == ["states.pt"] * 2
    assert "step-4' is passed over" in log
    assert "resumed from step-2\n" in log
    assert f"resumed from step-{by_two}, which 2 ranks wrote" in log
    assert log.count("resumed from step-") == 3
    assert ", which 2 ranks wrote" in log
    assert ", which 1 ranks wrote" in log
    steps = steps_of(tmp_path)
    assert [step["step"] for step in steps] == [step["step"] for step in expected]
    assert by_two < len(steps) - 2
    for name in ("loss", "grad_norm", "learning_rate", "num_targets", "num_tokens"):
        mine, theirs = ([step[name] for step in run] for run in (steps, expected))
        assert mine[:by_two] == theirs[:by_two], name
        # sums over other ranks are rounded in another order
        assert mine[by_two:] == pytest.approx(theirs[by_two:], rel=2e-5 if name == "loss" else 2e-4), name


def test_ranks_die_with_torchrun(undisturbed, tmp_path):
    _, config, tokenizer = undisturbed

    async def killed() -> list[int]:
        configure(tmp_path, tokenizer, Path(config.packed), max_steps=1000)
        process = trainer(tmp_path)
        await process.start()
        await until(lambda: len(children_of(process.pid)) == 2, process)
        ranks = children_of(process.pid)
        await asyncio.sleep(1.0)  # past the ranks' first lines
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        await until(lambda: not any(Path(f"/proc/{rank}").exists() for rank in ranks), seconds=30)
        return ranks

    assert len(asyncio.run(killed())) == 2
