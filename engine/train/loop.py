"""The training loop: the same losses for the same rows and seed, whether or not it was interrupted.

A loss that is not finite, or a gradient without length, stops the run and names the rows of that step.
"""

import dataclasses
import math
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reasonmill.engine.train.batches import MicroBatch
from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.clock import lockstep_wait
from reasonmill.engine.train.digest import Content
from reasonmill.engine.train.global_batch import global_batch
from reasonmill.engine.train.loss import loss_scale
from reasonmill.engine.train.objective import Objective, Supervised
from reasonmill.engine.train.packed_set import mark_of
from reasonmill.engine.train.rates import Rates
from reasonmill.engine.train.schedule import Schedule, warmup_steps
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepRows, StepStream
from reasonmill.engine.train.zero import ZeroEngine
from reasonmill.packing.balance import RowCost
from reasonmill.packing.reader import PackedReader

_WRITER = re.compile(r"inline_container|iostream|PytorchStreamWriter")  # torch's file writer, which hides the errno


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """One rank among the others. `gather` gives the numbers of every rank, in order; `barrier` waits for all; `part` is
    this rank's stretch of a micro-batch where several ranks share one.
    """

    rank: int
    world_size: int
    device: torch.device
    gather: Callable[[list[float]], list[list[float]]]
    barrier: Callable[[], None]
    part: Callable[[MicroBatch], MicroBatch] = lambda batch: batch


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Steps done in all, and whether training ended (True) or was asked to stop before (False)."""

    step: int
    finished: bool


class TrainingFault(RuntimeError):
    """Training cannot go on; the message says at which step and on which rows."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """What a step is made with: the engine, the rows, what they cost, how fast a device could be, what is learnt."""

    engine: ZeroEngine
    reader: PackedReader
    cost: RowCost
    rates: Rates
    objective: Objective | None = None  # None: samples, as the settings weigh them


def train(
    student: Student,
    stream: StepStream,
    *,
    settings: TrainSettings,
    ranks: Ranks,
    checkpoints: CheckpointFolder,
    log: StepLog | None,
    first_step: int,
    course: dict[str, Any],
) -> Outcome:
    """Train from step `first_step` (steps done so far) to the end, or to the stop that the stream reports. `course` is
    kept with each checkpoint, and the mark of the rows.
    """
    step = saved = first_step
    while not stream.total_steps or step < stream.total_steps:
        started, waiting_since = time.time(), time.perf_counter()
        rows = stream.rows_of(step)
        waited = time.perf_counter() - waiting_since
        if rows is None:
            if stream.total_steps and step >= stream.total_steps:
                break
            if step > saved:
                save(student.engine, checkpoints, step, course, ranks)
            return Outcome(step=step, finished=False)
        if rows.save_first and step > saved:
            save(student.engine, checkpoints, step, course, ranks)
            saved = step
        if step == first_step:
            course = course | {"rows": mark_of(student.reader)}
        record = _step(student, stream, rows, step, settings, ranks)
        step += 1
        if log is not None:
            record["data_wait_s"] += waited
            log.write({"step": step, **record, "start_unix_s": started, "end_unix_s": time.time()})
        if settings.save_steps and step % settings.save_steps == 0 and step < (stream.total_steps or math.inf):
            save(student.engine, checkpoints, step, course, ranks)
            saved = step
    return Outcome(step=step, finished=True)


def save(engine: ZeroEngine, checkpoints: CheckpointFolder, step: int, course: dict[str, Any], ranks: Ranks) -> None:
    """Make the checkpoint of `step`; collective."""
    if ranks.rank == 0:
        checkpoints.begin(step)
    ranks.barrier()
    checkpoints.note(step, ranks.rank, _write(engine, checkpoints.aside(step)))
    ranks.barrier()
    if ranks.rank == 0:
        checkpoints.commit(step, course)
    ranks.barrier()


def _write(engine: ZeroEngine, folder: Path) -> dict[Path, Content]:
    """What this rank wrote. Raises OSError that names the folder and its room, also for what torch says of a file that
    was cut short.
    """
    try:
        return engine.save(folder)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _WRITER.search(str(error)):
            raise
        free_mib = shutil.disk_usage(folder).free >> 20
        raise OSError(f"{str(folder)!r} cannot be written, {free_mib:,} MiB are free there: {error}") from error


def course_of(settings: TrainSettings) -> dict[str, Any]:
    """Settings that a checkpoint cannot be resumed without, as JSON values: what is trained, and on which rows. The
    number of ranks is none of them, as long as they take as many rows a step.
    """
    model = settings.model if isinstance(settings.model, str) else dataclasses.asdict(settings.model)
    return {
        "model": model,
        "bf16": settings.bf16,
        "seed": settings.seed,
        "rows_per_step": settings.rows_per_step,
        "preference": settings.preference and dataclasses.asdict(settings.preference),
        "loss_weighting": settings.loss_weighting,
        "balance_window_rows": settings.balance_window_rows,
    }


def _step(
    student: Student, stream: StepStream, rows: StepRows, step: int, settings: TrainSettings, ranks: Ranks
) -> dict[str, float]:
    engine, began = student.engine, time.perf_counter()
    batch = global_batch(student.reader, rows.rows, settings, student.cost)
    objective = student.objective or Supervised(student.reader, by_sample=settings.loss_weighting == "sample")
    divisor = sum(objective.num_units(row) for row in rows.rows)
    scale = loss_scale(divisor, ranks.world_size, settings.gradient_accumulation_steps)
    rate = _learning_rate(settings, stream, rows.schedule_step)
    engine.set_learning_rate(rate)
    torch.manual_seed(_seed(settings.seed, step, ranks.rank))
    engine.clock.begin()
    losses = []
    for mine in batch.rows_of(ranks.rank):
        micro = ranks.part(objective.batch(mine, ranks.device))
        engine.clock.lap("data")
        losses.append(engine.micro_step(scale, micro).double())
    grad_norm = engine.grad_norm()
    own = torch.stack(losses).tolist()
    engine.clock.lap("optimizer")
    seconds, waits = engine.clock.read()
    figures = objective.take_figures()
    gathered = np.array(ranks.gather([*own, *waits, *figures.values()]))
    of_ranks, waits_of_ranks, sums = np.split(gathered, [len(own), len(own) + len(waits)], axis=1)
    loss = sum(of_ranks.ravel().tolist())
    if not math.isfinite(loss) or not math.isfinite(grad_norm) or grad_norm == 0.0:
        raise TrainingFault(_describe(step, loss, grad_norm, batch.suspects(of_ranks), student.reader))
    step_s = time.perf_counter() - began
    return {
        "loss": loss / divisor,
        "grad_norm": grad_norm,
        "learning_rate": rate,
        "num_targets": batch.num_targets,
        objective.unit: divisor,
        "num_tokens": batch.num_tokens,
        "epoch": rows.epoch,
        "data_wait_s": seconds["data"],
        **{f"{part}_s": seconds[part] for part in ("forward", "backward", "optimizer", "communication")},
        "lockstep_wait": lockstep_wait(waits_of_ranks.tolist(), step_s),
        "lockstep_wait_planned": batch.planned_wait(),
        **student.rates.of_step(step_s, batch.num_tokens, batch.squares, batch.num_targets),
        **_peak_memory(ranks.device),
        **{name: float(total) / divisor for name, total in zip(figures, sums.sum(axis=0), strict=True)},
    }


def _peak_memory(device: torch.device) -> dict[str, float]:
    """Most that a GPU held since the start; a CPU does not say."""
    if device.type != "cuda":
        return {}
    return {"peak_memory_gib": torch.cuda.max_memory_allocated(device) / 2**30}


def _learning_rate(settings: TrainSettings, stream: StepStream, step: float) -> float:
    total = stream.schedule_steps
    schedule = Schedule(
        kind=settings.lr_scheduler_type,
        peak=settings.learning_rate,
        warmup_steps=warmup_steps(settings.warmup_ratio, total),
        total_steps=total,
    )
    return schedule.learning_rate(step)


def _seed(seed: int, step: int, rank: int) -> int:
    """Of everything random in a step (dropout): the same after a resume."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1)[0])


def _describe(step: int, total: float, grad_norm: float, suspects: list[int], reader: PackedReader) -> str:
    names = [f"row {row} ({', '.join(reader.names_of(row))})" for row in suspects]
    return f"step {step + 1}: loss sum {total}, gradient norm {grad_norm}; in {'; '.join(names)}"
