"""One rank of a trainer that takes turns with others: `NAME INPUTS FOLDER` under torchrun. Ours is the product's own
loop and engine; TRL's is its SFTTrainer over gloo, without recomputation, with torch's fused AdamW as ours.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reasonmill.bench.train_turns import Gate
from reasonmill.engine.train.batches import MicroBatch
from reasonmill.engine.train.settings import TrainSettings, ZeroSettings
from reasonmill.packing.reader import PackedReader

STEPS_A_TURN = 4
SETTINGS = TrainSettings(
    bf16=False,
    learning_rate=1e-3,
    lr_scheduler_type="constant",
    warmup_ratio=0.0,
    max_steps=10**6,
    per_device_train_batch_size=2,
    save_steps=0,
    zero=ZeroSettings(stage3_param_persistence_threshold=20_000),
)
OURS = {
    "zero3": SETTINGS,
    # every parameter stays whole on every rank; gradients and optimiser states are partitioned all the same
    "zero3_whole_parameters": replace(SETTINGS, zero=ZeroSettings(stage3_param_persistence_threshold=10**9)),
}


def main() -> None:
    """Train until the gate's pipe ends."""
    name, inputs, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(1)
    gate = Gate(folder, int(os.environ["RANK"]), STEPS_A_TURN)
    if name in OURS:
        _ours(replace(OURS[name], model=str(inputs / "model")), inputs, gate, folder)
    else:
        _trl(inputs, gate, folder, packing=name == "trl_packed")


def _ours(settings: TrainSettings, inputs: Path, gate: Gate, folder: Path) -> None:
    from reasonmill.engine.train.checkpoint import CheckpointFolder
    from reasonmill.engine.train.dimensions import dimensions_of
    from reasonmill.engine.train.forecast import course_of
    from reasonmill.engine.train.loop import Student, train
    from reasonmill.engine.train.loss import StudentLoss
    from reasonmill.engine.train.model import build_model
    from reasonmill.engine.train.rank import agree, ranks_of
    from reasonmill.engine.train.rates import Rates
    from reasonmill.engine.train.stream import StepStream
    from reasonmill.engine.train.zero import ZeroEngine, start_collectives
    from reasonmill.packing.sampler import RowOrder

    device = start_collectives(settings)
    model = build_model(settings.model, vocab_size=0, seed=0, dtype=torch.float32)
    model.train()
    engine = ZeroEngine(StudentLoss(model), settings)
    reader = PackedReader(inputs / "packed")

    def counted(batch: MicroBatch) -> MicroBatch:
        gate.took(batch.input_ids.shape[1])
        return batch

    def gated(decision: list[int]) -> list[int]:
        gate.pass_through()
        return agree(decision)

    ranks = replace(ranks_of(device, settings), part=counted)
    dimensions = dimensions_of(settings.model)
    assert dimensions is not None, "the bench writes its own model"
    cost = dimensions.row_cost
    order = RowOrder(0, num_ranks=4, costs_of=lambda num_rows: cost.of_rows(*reader.row_sums(num_rows)))
    train(
        Student(engine=engine, reader=reader, cost=cost, rates=Rates(num_ranks=2, dimensions=dimensions)),
        StepStream(reader, order, course_of(settings), rank=ranks.rank, agree=gated, stop_requested=lambda: False),
        settings=settings,
        ranks=ranks,
        checkpoints=CheckpointFolder(folder / "none", keep=1),
        log=None,
        first_step=0,
        course={},
    )


def documents(reader: PackedReader) -> list[dict[str, list[int]]]:
    """The set's documents as TRL takes them: ids, and labels in place."""
    found = []
    for index in range(reader.num_rows):
        row = reader.row(index)
        labels = np.concatenate(([-100], row.labels[:-1]))  # theirs are shifted by the model
        for start, end in zip(row.cu_seqlens[:-1], row.cu_seqlens[1:], strict=True):
            own = labels[start:end].copy()
            own[0] = -100
            found.append({"input_ids": row.input_ids[start:end].tolist(), "labels": own.tolist()})
    return found


def _trl(inputs: Path, gate: Gate, folder: Path, *, packing: bool) -> None:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *arguments: Any, **options: Any) -> None:
            gate.pass_through()

    reader = PackedReader(inputs / "packed")
    config = SFTConfig(
        output_dir=str(folder / "out"),
        use_cpu=True,
        bf16=False,
        packing=packing,
        max_length=reader.max_length,
        # as many tokens a step: a row holds so many documents
        per_device_train_batch_size=2 if packing else round(2 * reader.num_documents / reader.num_rows),
        gradient_checkpointing=False,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        ddp_find_unused_parameters=False,
        optim="adamw_torch_fused",
        max_steps=10**6,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(inputs / "model", dtype=torch.float32, attn_implementation="sdpa"),
        args=config,
        train_dataset=Dataset.from_list(documents(reader)),
        processing_class=AutoTokenizer.from_pretrained(inputs / "model"),
        callbacks=[Turns()],
    )
    collate = trainer.data_collator

    def counted(examples: list[dict[str, Any]]) -> Any:
        gate.took(sum(len(one["input_ids"]) for one in examples))
        return collate(examples)

    trainer.data_collator = counted
    trainer.train()


if __name__ == "__main__":
    main()
