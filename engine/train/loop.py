"""The training loop: the same losses for the same rows and seed, whether or not it was interrupted.

A loss that is not finite, or a gradient without length, stops the run and names the rows of that step.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from reasonmill.engine.train.batches import micro_batch
from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.loss import loss_scale
from reasonmill.engine.train.schedule import Schedule, warmup_steps
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepRows, StepStream, share_of
from reasonmill.engine.train.zero import ZeroEngine
from reasonmill.packing.reader import PackedReader


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """One rank among the others. `total` adds numbers up over all ranks; `barrier` waits for all."""

    rank: int
    world_size: int
    device: torch.device
    total: Callable[[list[float]], list[float]]
    barrier: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Steps done in all, and whether training ended (True) or was asked to stop before (False)."""

    step: int
    finished: bool


class TrainingFault(RuntimeError):
    """Training cannot go on; the message says at which step and on which rows."""


def train(
    engine: ZeroEngine,
    stream: StepStream,
    reader: PackedReader,
    *,
    settings: TrainSettings,
    ranks: Ranks,
    checkpoints: CheckpointFolder,
    log: StepLog | None,
    first_step: int,
) -> Outcome:
    """Train from step `first_step` (steps done so far) to the end, or to the stop that the stream reports."""
    step = saved = first_step
    while not stream.total_steps or step < stream.total_steps:
        started, waiting_since = time.time(), time.perf_counter()
        rows = stream.rows_of(step)
        waited = time.perf_counter() - waiting_since
        if rows is None:
            if step > saved:
                save(engine, checkpoints, step, settings, ranks)
            return Outcome(step=step, finished=False)
        record = _step(engine, stream, reader, rows, step, settings, ranks)
        step += 1
        if log is not None:
            times = {"start_unix_s": started, "end_unix_s": time.time(), "data_wait_s": waited}
            log.write({"step": step, **record, **times})
        if settings.save_steps and step % settings.save_steps == 0 and step < stream.total_steps:
            save(engine, checkpoints, step, settings, ranks)
            saved = step
    return Outcome(step=step, finished=True)


def save(engine: ZeroEngine, checkpoints: CheckpointFolder, step: int, settings: TrainSettings, ranks: Ranks) -> None:
    """Make the checkpoint of `step`; collective."""
    if ranks.rank == 0:
        checkpoints.begin(step)
    ranks.barrier()
    engine.save(checkpoints.aside(step))
    ranks.barrier()
    if ranks.rank == 0:
        checkpoints.commit(step, course_of(settings))
    ranks.barrier()


def course_of(settings: TrainSettings) -> dict[str, Any]:
    """Settings that a checkpoint cannot be resumed without, as JSON values: what is trained, and on which rows."""
    model = settings.model if isinstance(settings.model, str) else dataclasses.asdict(settings.model)
    return {
        "model": model,
        "bf16": settings.bf16,
        "seed": settings.seed,
        "num_ranks": settings.num_ranks,
        "rows_per_step": settings.rows_per_step,
    }


def _step(
    engine: ZeroEngine,
    stream: StepStream,
    reader: PackedReader,
    rows: StepRows,
    step: int,
    settings: TrainSettings,
    ranks: Ranks,
) -> dict[str, float]:
    num_targets = sum(reader.row_targets(row) for row in rows.rows)
    scale = loss_scale(num_targets, ranks.world_size, settings.gradient_accumulation_steps)
    schedule = Schedule(
        kind=settings.lr_scheduler_type,
        peak=settings.learning_rate,
        warmup_steps=warmup_steps(settings.warmup_ratio, stream.total_steps),
        total_steps=stream.total_steps,
    )
    rate = schedule.learning_rate(step)
    engine.set_learning_rate(rate)
    loss = torch.zeros((), dtype=torch.float64, device=ranks.device)
    num_tokens = 0
    mine: list[int] = []
    for micro_step in range(settings.gradient_accumulation_steps):
        share = share_of(
            rows.rows,
            rank=ranks.rank,
            world_size=ranks.world_size,
            per_device=settings.per_device_train_batch_size,
            micro_step=micro_step,
        )
        batch = micro_batch(reader, share, ranks.device)
        loss += engine.micro_step(scale, batch.input_ids, batch.position_ids, batch.labels, batch.documents)
        num_tokens += batch.input_ids.shape[1] if share else 0
        mine += share
    grad_norm = engine.grad_norm()
    loss_sum, tokens = ranks.total([float(loss), float(num_tokens)])
    if not math.isfinite(loss_sum) or not math.isfinite(grad_norm) or grad_norm == 0.0:
        raise TrainingFault(_describe(step, loss_sum, float(loss), grad_norm, mine, rows.rows, reader))
    return {
        "loss": loss_sum / num_targets,
        "grad_norm": grad_norm,
        "learning_rate": rate,
        "num_targets": num_targets,
        "num_tokens": int(tokens),
        "epoch": rows.epoch,
    }


def _describe(
    step: int, total: float, own: float, grad_norm: float, mine: list[int], rows: tuple[int, ...], reader: PackedReader
) -> str:
    suspects = mine if not math.isfinite(own) else list(rows)
    names = [f"row {row} ({', '.join(reader.names_of(row))})" for row in suspects]
    return f"step {step + 1}: loss sum {total}, gradient norm {grad_norm}; in {'; '.join(names)}"
