"""`reasonmill pack` and `reasonmill train` on preferences for real: two gloo ranks under ZeRO-3, LD-DPO."""

import asyncio
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch

from reasonmill.engine.cli import run_command
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.launcher import EXIT_FINISHED, TrainerProcess
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.preference import Preferences
from reasonmill.engine.train.preference_loss import PreferenceLoss
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.pairs import PairReader
from reasonmill.packing.sampler import RowOrder

pytestmark = pytest.mark.filterwarnings("ignore")
torch.set_num_threads(1)

RECIPE = """
queries: {paths: [pairs.jsonl]}
teachers: [{name: none, kind: scripted, script: "arithmetic:1"}]
pack: {kind: pairs, tokenizer: tokenizer, max_length: 160}
train:
  preference: {beta: 0.5, ld_alpha: 0.3}
  learning_rate: 2.0e-3
  lr_scheduler_type: constant
  warmup_ratio: 0.0
  num_train_epochs: 4
  gradient_accumulation_steps: 2
  max_grad_norm: 0
  bf16: false
  save_steps: 3
  balance_window_rows: 0
  zero: {stage3_param_persistence_threshold: 500}
  model: {hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 16,
          intermediate_size: 64}
"""


def write_inputs(folder: Path) -> None:
    """The chosen answer spells the number with the letters that the rejected one has not."""
    write_byte_tokenizer(folder / "tokenizer")
    rows = [
        {"id": f"p{i}", "prompt": f"{i}?", "chosen": "good " * (1 + i % 3), "rejected": "evil " * (1 + i % 4)}
        for i in range(16)
    ]
    rows.append({"id": "same", "prompt": "?", "chosen": "a", "rejected": "a"})
    (folder / "pairs.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    (folder / "recipe.yaml").write_text(RECIPE)


def steps_of(folder: Path) -> list[dict]:
    path = folder / "train" / "metrics.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which pairs were packed and trained on, and what `pack` said."""
    folder = tmp_path_factory.mktemp("preferences")
    write_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTHONSAFEPATH", "1")
        pack = ["pack", "recipe.yaml", "--input", "pairs.jsonl", "--output-dir", "packed"]
        for _ in range(2):  # a pack that failed leaves no set in the way of the next
            assert run_command(pack) == 2  # one row of 17 is no pair
            assert not (folder / "packed" / "published.json").exists()
        assert run_command([*pack[:-1], "none", "--dry-run"]) == 2
        lines = (folder / "pairs.jsonl").read_bytes().splitlines()
        (folder / "pairs.jsonl").write_bytes(b"\n".join(lines[:-1]))
        assert run_command([*pack[:-1], "rows"]) == 0
        status = run_command(["train", "recipe.yaml", "--packed", "rows", "--output-dir", "out"])
        assert status == 0, (folder / "out" / "logs" / "train.log").read_text()[-3000:]
    return folder


def one_process(folder: Path, num_steps: int) -> list[tuple[float, float]]:
    """Losses and gradient norms of the same training in plain torch."""
    settings = TrainConfig.read(folder / "out" / "train" / "config.json").settings
    reader, order = PairReader(folder / "rows"), RowOrder(settings.seed, published_first=False)
    model = build_model(settings.model, vocab_size=261, seed=settings.seed, dtype=torch.float32)
    assert settings.preference is not None
    module = PreferenceLoss(model, settings.preference, fused=False)
    with torch.no_grad():
        known = np.zeros((reader.num_documents, 2, 2), np.float32)
        for row in range(reader.num_rows):
            sums = module(*Preferences(reader, module).batch([row], "cpu").inputs)
            known[list(reader.row(row).documents)] = sums.numpy()
    rows = Preferences(reader, module, known)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    figures = []
    for step in range(num_steps):
        last = min((step + 1) * settings.rows_per_step, 4 * reader.num_rows)
        taken = [order.row(place, reader.num_rows) for place in range(step * settings.rows_per_step, last)]
        num_pairs = sum(rows.num_units(row) for row in taken)
        optimizer.zero_grad()
        losses = [module(*rows.batch([row], "cpu").inputs) for row in taken]
        loss = sum(losses) / num_pairs
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), math.inf)
        optimizer.step()
        figures.append((loss.item(), norm.item()))
    return figures


def test_two_ranks_train_on_pairs_like_one_process(trained):
    steps = steps_of(trained / "out")
    expected = one_process(trained, len(steps))
    assert [step["loss"] for step in steps] == pytest.approx([loss for loss, _ in expected], rel=1e-4, abs=1e-6)
    assert [step["grad_norm"] for step in steps] == pytest.approx([norm for _, norm in expected], rel=1e-3)


def test_training_starts_at_chance_and_prefers_the_chosen_answers_in_the_end(trained):
    steps = steps_of(trained / "out")
    first, last = steps[0], steps[-1]
    assert first["loss"] == pytest.approx(math.log(2), abs=1e-5)
    assert first["reward_margin"] == pytest.approx(0.0, abs=1e-4)
    assert last["loss"] < 0.5 * first["loss"]
    assert last["reward_accuracy"] > 0.9
    assert last["reward_margin"] > 1.0
    assert last["reward_margin"] == pytest.approx(last["reward_chosen"] - last["reward_rejected"])
    assert sum(step["num_pairs"] for step in steps) == 4 * 16
    assert (trained / "out" / "student" / "config.json").exists()


def test_the_other_kind_of_rows_is_refused(trained, capsys, monkeypatch):
    monkeypatch.chdir(trained)
    supervised = ["train", "recipe.yaml", "train.preference=null", "--packed", "rows", "--output-dir", "other"]
    assert run_command(supervised) == 2
    assert "holds pairs" in capsys.readouterr().err
    (trained / "samples").mkdir()
    for name in (trained / "rows").iterdir():
        if name.name != "pairs.json":
            (trained / "samples" / name.name).write_bytes(name.read_bytes())
    assert run_command(["train", "recipe.yaml", "--packed", "samples", "--output-dir", "other"]) == 2
    assert "holds samples, not pairs" in capsys.readouterr().err
    assert run_command(["run", "recipe.yaml"]) == 2
    assert "pairs are for the verbs pack and train" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_to_the_same_losses_without_another_pass_of_the_reference(trained):
    done = TrainConfig.read(trained / "out" / "train" / "config.json")
    again = trained / "again"
    config = TrainConfig(
        packed=done.packed,
        output_dir=str(again / "train"),
        student_dir=str(again / "student"),
        tokenizer=done.tokenizer,
        settings=done.settings,
    )
    config.write(again / "train" / "config.json")

    async def run() -> None:
        first = TrainerProcess(again / "train" / "config.json", again / "train.log", 2)
        await first.start()
        deadline = time.monotonic() + 200
        while len(steps_of(again)) < 4 and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        assert len(steps_of(again)) < len(steps_of(trained / "out"))
        second = TrainerProcess(again / "train" / "config.json", again / "train.log", 2)
        await second.start()
        assert await asyncio.wait_for(second.wait(), 240) == EXIT_FINISHED

    asyncio.run(run())
    names = ("step", "loss", "grad_norm", "reward_margin", "num_pairs")
    expected = [[step[name] for name in names] for step in steps_of(trained / "out")]
    assert [[step[name] for name in names] for step in steps_of(again)] == expected
    log = (again / "train.log").read_text()
    assert log.count("under the initial model are worked out") == 1
    assert "resumed from step-" in log
