"""What one rank does from start to end: join the others, build the student, resume, train, write the model folder."""

import gc
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.distributed as dist

from reasonmill.engine.train.checkpoint import CheckpointFolder
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.export import dtype_of, write_model_folder
from reasonmill.engine.train.loop import Outcome, Ranks, course_of, train
from reasonmill.engine.train.loss import StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.status import write_status
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepStream
from reasonmill.engine.train.zero import ZeroEngine, start_collectives
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.reader import PackedReader


def run_rank(config_path: str, *, stop_requested: Callable[[], bool]) -> int:
    """Exit status of the rank: 0 when training ended or was stopped and saved."""
    config = TrainConfig.read(config_path)
    settings = config.settings
    torch.set_num_threads(settings.threads_per_rank)
    device = start_collectives(settings)
    ranks = _ranks(device)
    if ranks.world_size != settings.num_ranks:
        raise ValueError(f"num_ranks: {settings.num_ranks}, but {ranks.world_size} ranks were started")
    tokenizer, encoder = Path(config.tokenizer), ChatEncoder(config.tokenizer)
    end_token_id = encoder.end_token_id
    model = build_model(
        settings.model, vocab_size=encoder.vocab_size, seed=settings.seed, dtype=dtype_of(settings.bf16)
    )
    model.config.eos_token_id = end_token_id
    model.train()
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    output_dir = Path(config.output_dir)
    initial = output_dir / "initial"
    if ranks.rank == 0 and not initial.exists():
        if isinstance(settings.model, str):
            initial.symlink_to(Path(settings.model).absolute())
        else:
            write_model_folder(
                initial, model=model, weights=model.state_dict(), tokenizer=tokenizer, end_token_id=end_token_id
            )
    engine = ZeroEngine(StudentLoss(model, fused=settings.fused_loss), settings)
    checkpoints = CheckpointFolder(output_dir / "checkpoints", keep=settings.save_total_limit)
    first_step = _resume(engine, checkpoints, ranks, settings)
    reader = PackedReader(config.packed)
    stream = StepStream(
        reader,
        rank=ranks.rank,
        rows_per_step=settings.rows_per_step,
        max_steps=settings.max_steps,
        num_epochs=settings.num_train_epochs,
        seed=settings.seed,
        agree=_agree,
        stop_requested=stop_requested,
        say=_say,
    )
    gc.freeze()  # what start-up made stays, and is not looked through again
    gc.enable()
    log = StepLog(output_dir / "metrics.jsonl", last_step=first_step) if ranks.rank == 0 else None
    with log or nullcontext():
        outcome = train(
            engine,
            stream,
            reader,
            settings=settings,
            ranks=ranks,
            checkpoints=checkpoints,
            log=log,
            first_step=first_step,
        )
    if outcome.finished:
        weights = engine.whole_weights()
        if weights is not None:
            student = Path(config.student_dir)
            write_model_folder(student, model=model, weights=weights, tokenizer=tokenizer, end_token_id=end_token_id)
    _leave(outcome, output_dir, ranks)
    return 0


def _resume(engine: ZeroEngine, checkpoints: CheckpointFolder, ranks: Ranks, settings: TrainSettings) -> int:
    """Load the newest whole checkpoint; returns the steps it has behind it."""
    checkpoint, messages = checkpoints.newest()
    if ranks.rank == 0:
        for message in messages:
            _say(message)
    if checkpoint is None:
        return 0
    for name, now in course_of(settings).items():
        then = checkpoint.facts.get(name)
        if then != now:
            raise ValueError(f"{name}: {now!r}, but checkpoint {str(checkpoint.folder)!r} was made with {then!r}")
    engine.load(checkpoint.folder)
    ranks.barrier()
    if ranks.rank == 0:
        checkpoints.clean()
        _say(f"resumed from {checkpoint.folder.name}")
    return checkpoint.step


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _leave(outcome: Outcome, output_dir: Path, ranks: Ranks) -> None:
    if ranks.rank == 0:
        write_status(output_dir, "finished" if outcome.finished else "stopped", outcome.step)
    ranks.barrier()
    dist.destroy_process_group()


def _ranks(device: torch.device) -> Ranks:
    def total(numbers: list[float]) -> list[float]:
        added = torch.tensor(numbers, dtype=torch.float64, device=device)
        dist.all_reduce(added)
        return [float(number) for number in added.tolist()]

    return Ranks(
        rank=dist.get_rank(),
        world_size=int(os.environ["WORLD_SIZE"]),
        device=device,
        total=total,
        barrier=dist.barrier,
    )


def _agree(decision: list[int]) -> list[int]:
    shared = torch.tensor(decision, dtype=torch.int64, device="cuda" if torch.cuda.is_available() else "cpu")
    dist.broadcast(shared, src=0)
    return [int(number) for number in shared.tolist()]
