"""Run by torchrun on every rank (test_exact_training.py): trains one step under ZeRO-3, under FSDP2 and in one plain
process, and writes what rank 0 found as JSON. Not collected by pytest.
"""

import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard

from reasonmill.engine.train.batches import micro_batch
from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.export import dtype_of
from reasonmill.engine.train.layer_kernels import apply_layer_kernels
from reasonmill.engine.train.loop import Student, TrainingFault, train
from reasonmill.engine.train.loss import StudentLoss, loss_scale
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.rank import ranks_of
from reasonmill.engine.train.rates import Rates
from reasonmill.engine.train.settings import ModelShape, TrainSettings, ZeroSettings
from reasonmill.engine.train.stream import Course, StepStream
from reasonmill.engine.train.zero import ZeroEngine, start_collectives
from reasonmill.packing.balance import RowCost, share_out
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.sampler import RowOrder

VOCABULARY = 97
SHAPE = ModelShape(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    intermediate_size=48,
)
# five rows on two ranks, two micro-steps: one rank has a micro-batch without rows
SETTINGS = TrainSettings(
    model=SHAPE,
    bf16=False,
    num_ranks=2,
    gradient_accumulation_steps=2,
    per_device_train_batch_size=2,
    max_grad_norm=0.0,
    learning_rate=1e-3,
    zero=ZeroSettings(stage3_param_persistence_threshold=100),
)
CASES = {
    "tied": SETTINGS,
    "untied, recomputed": replace(
        SETTINGS, model=replace(SHAPE, tie_word_embeddings=False), gradient_checkpointing=True
    ),
    "untied, by sample": replace(SETTINGS, model=replace(SHAPE, tie_word_embeddings=False), loss_weighting="sample"),
    "tied, all logits, own kernels": replace(SETTINGS, fused_loss=False, layer_kernels="reasonmill"),
    "offloaded": replace(
        SETTINGS,
        zero=ZeroSettings(stage3_param_persistence_threshold=100, offload_optimizer="cpu", offload_param="cpu"),
    ),
    "bfloat16": replace(SETTINGS, bf16=True),
    "rows shared by two ranks": replace(SETTINGS, sequence_parallel_size=2, per_device_train_batch_size=4),
}
ONLY_TWO = ("offloaded", "bfloat16", "rows shared by two ranks")  # under ZeRO-3 alone, and on two ranks


def student(settings):
    model = build_model(settings.model, vocab_size=VOCABULARY, seed=3, dtype=dtype_of(settings.bf16))
    apply_layer_kernels(model, settings.layer_kernels)
    model.train()
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return StudentLoss(model, fused=settings.fused_loss, plain_bytes=0)


def batches(reader, settings, ranks):
    """The micro-batches of this rank, and the divisor of the whole batch's loss."""
    rows = range(reader.num_rows)
    shares = share_out(
        RowCost().of_rows(*reader.row_sums()),
        num_ranks=ranks.world_size // settings.sequence_parallel_size,
        rows_per_rank=settings.per_device_train_batch_size,
        num_micro_steps=settings.gradient_accumulation_steps,
    )
    by_sample = settings.loss_weighting == "sample"
    divisor = reader.num_documents if by_sample else sum(reader.row_targets(row) for row in rows)
    mine = shares[:, ranks.rank // settings.sequence_parallel_size]
    made = [micro_batch(reader, [row for row in of_step if row >= 0], by_sample=by_sample) for of_step in mine]
    return [ranks.part(batch) for batch in made], divisor


def plain(reader, settings):
    """Loss, gradients and weights after one step of the whole batch in one process, by torch alone."""
    module = student(replace(settings, bf16=False, layer_kernels="transformers", gradient_checkpointing=False))
    by_sample = settings.loss_weighting == "sample"
    batch = micro_batch(reader, range(reader.num_rows), by_sample=by_sample)
    loss = module(*batch.inputs) / (reader.num_documents if by_sample else int((batch.labels >= 0).sum()))
    loss.backward()
    grads = {name: p.grad.clone() for name, p in module.model.named_parameters()}
    torch.optim.AdamW(module.parameters(), lr=settings.learning_rate, weight_decay=0.0).step()
    return loss.item(), grads, {name: p.detach() for name, p in module.model.named_parameters()}


def under_zero(reader, settings, ranks):
    from deepspeed.utils import safe_get_full_grad

    module = student(settings)
    engine = ZeroEngine(module, settings)
    mine, divisor = batches(reader, settings, ranks)
    scale = loss_scale(divisor, ranks.world_size, settings.gradient_accumulation_steps)
    grads, step = {}, engine._engine.step

    def look_then_step():
        if engine._engine.is_gradient_accumulation_boundary():
            grads.update({name: safe_get_full_grad(p).clone() for name, p in module.model.named_parameters()})
        step()

    engine._engine.step = look_then_step
    engine.set_learning_rate(settings.learning_rate)
    engine.clock.begin()
    loss = sum(float(engine.micro_step(scale, batch)) for batch in mine)
    norm = engine.grad_norm()
    seconds, waits = engine.clock.read()
    assert len(waits) == len(mine)
    assert all(second >= 0.0 for second in seconds.values()), seconds
    weights = engine.whole_weights()
    return sum(sum(part) for part in ranks.gather([loss])) / divisor, grads, weights, norm


def under_fsdp(reader, settings, ranks):
    module = student(settings)
    for layer in module.model.model.layers:
        fully_shard(layer)
    fully_shard(module)
    mine, divisor = batches(reader, settings, ranks)
    loss = 0.0
    for batch in mine:
        # FSDP averages over ranks, and does not divide by micro-batches
        one = module(*batch.inputs)
        (one * loss_scale(divisor, ranks.world_size, 1)).backward()
        loss += one.item()
    grads = {name: p.grad.full_tensor() for name, p in module.model.named_parameters()}
    return sum(sum(part) for part in ranks.gather([loss])) / divisor, grads


def error(found, expected):
    """Largest relative error of any parameter's tensor; not a number where names or gradients are missing."""
    if set(found) != set(expected):
        return math.nan
    return max(float((found[name] - expected[name]).norm() / expected[name].norm()) for name in expected)


def compared(reader, settings, ranks, special):
    loss, grads, weights = plain(reader, settings)
    zero_loss, zero_grads, zero_weights, norm = under_zero(reader, settings, ranks)
    found = {
        "plain_loss": loss,
        "zero_loss": abs(zero_loss / loss - 1.0),
        "zero_gradients": error(zero_grads, grads),
        "zero_norm": abs(norm / math.sqrt(sum(float(g.square().sum()) for g in grads.values())) - 1.0),
    }
    if zero_weights is not None:
        tied = {"lm_head.weight"} if settings.model.tie_word_embeddings else set()
        # Adam turns a gradient's sign into a step: where it is near zero, rounding decides
        found["zero_weights"] = max(
            float((zero_weights[name] - weights[name]).abs().max()) for name in weights if name not in tied
        )
    if not special:
        fsdp_loss, fsdp_grads = under_fsdp(reader, settings, ranks)
        found |= {"fsdp_loss": abs(fsdp_loss / loss - 1.0), "fsdp_gradients": error(fsdp_grads, grads)}
    return found


def fault(reader, settings, ranks, spoil, folder):
    """What the trainer says of a student that was spoilt."""
    module = student(settings)
    with torch.no_grad():
        spoil(module.model)
    engine = ZeroEngine(module, settings)
    stream = StepStream(
        reader,
        RowOrder(1),
        Course(rows_per_step=8, num_epochs=1.0, max_steps=2),
        rank=ranks.rank,
        agree=lambda decision: [int(n) for n in ranks.gather(list(map(float, decision)))[0]],
        stop_requested=lambda: False,
    )
    try:
        train(
            Student(engine=engine, reader=reader, cost=RowCost(), rates=Rates(num_ranks=ranks.world_size)),
            stream,
            settings=settings,
            ranks=ranks,
            checkpoints=CheckpointFolder(folder, keep=1),
            log=None,
            first_step=0,
            course={},
        )
    except TrainingFault as told:
        return str(told)
    return "none"


def spoil_token(model):
    model.model.embed_tokens.weight[96] = math.nan


def spoil_head(model):
    model.lm_head.weight.zero_()
    model.model.norm.weight.zero_()


def main():
    packed, out = sys.argv[1:]
    torch.set_num_threads(1)
    world_size = int(os.environ["WORLD_SIZE"])
    device = start_collectives(SETTINGS)
    reader = PackedReader(packed)
    found = {}
    for name, settings in CASES.items():
        if settings.num_ranks > world_size and name in ONLY_TWO:
            continue
        own = replace(settings, num_ranks=world_size, gradient_accumulation_steps=4 if world_size == 1 else 2)
        found[name] = compared(reader, own, ranks_of(device, own), name in ONLY_TWO)
    if world_size > 1:
        untied = CASES["untied, recomputed"]
        ranks = ranks_of(device, untied)
        for name, spoil in (("nan", spoil_token), ("zero", spoil_head)):
            found[name] = fault(reader, untied, ranks, spoil, Path(out).parent / "none")
    if dist.get_rank() == 0:
        Path(out).write_bytes(orjson.dumps(found))
    dist.barrier()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
