"""What one rank does from start to end: join the others, build the student, resume, train, write the model folder."""

import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
import torch.distributed as dist

from reasonmill.engine.train.checkpoint import Checkpoint, CheckpointFolder, passed_over
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.digest import Content
from reasonmill.engine.train.dimensions import dimensions_of
from reasonmill.engine.train.export import dtype_of, write_model_folder
from reasonmill.engine.train.forecast import course_of as steps_course
from reasonmill.engine.train.forecast import difference, extent_of
from reasonmill.engine.train.layer_kernels import apply_layer_kernels
from reasonmill.engine.train.loop import Outcome, Ranks, Student, course_of, train
from reasonmill.engine.train.loss import StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.objective import Objective
from reasonmill.engine.train.objectives import loss_module, objective_of, open_reader
from reasonmill.engine.train.outlook import outlook
from reasonmill.engine.train.packed_set import check_mark, seal_of
from reasonmill.engine.train.rates import Rates, peak_of
from reasonmill.engine.train.sequence_parallel import check_heads, my_group, part_of
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.status import write_status
from reasonmill.engine.train.step_log import StepLog
from reasonmill.engine.train.stream import StepStream
from reasonmill.engine.train.universal import make_universal
from reasonmill.engine.train.zero import ZeroEngine, start_collectives
from reasonmill.packing.balance import RowCost
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.sampler import RowOrder
from reasonmill.packing.settings import PackSettings


@dataclass(frozen=True, kw_only=True)
class _Resumed:
    """Steps that lie behind, and what ordered the rows when the run began: how many of them shared a micro-step, and
    whether the first pass takes them as they were published.
    """

    step: int
    group_rows: int
    published_first: bool


def run_rank(config_path: str, *, stop_requested: Callable[[], bool]) -> int:
    """Exit status of the rank: 0 when training ended or was stopped and saved."""
    config = TrainConfig.read(config_path)
    settings = config.settings
    torch.set_num_threads(settings.threads_per_rank)
    device = start_collectives(settings)
    ranks = ranks_of(device, settings)
    if ranks.world_size != settings.num_ranks:
        raise ValueError(f"num_ranks: {settings.num_ranks}, but {ranks.world_size} ranks were started")
    encoder = ChatEncoder(config.tokenizer)
    model = _build(settings, encoder)
    output_dir = Path(config.output_dir)
    write = _Writer(model=model, tokenizer=Path(config.tokenizer), end_token_id=encoder.end_token_id)
    checkpoints = CheckpointFolder(output_dir / "checkpoints", keep=settings.save_total_limit)
    if ranks.rank == 0:
        _write_initial(output_dir / "initial", settings, write, begun=checkpoints.newest()[0] is not None)
    module = loss_module(model, settings)
    reader = open_reader(config.packed, settings)
    engine, resumed = _engine(module, checkpoints, ranks, settings, reader)
    objective = objective_of(module, engine, reader, config, ranks, first_step=resumed.step, say=_say)
    if ranks.rank == 0 and reader.max_length:
        extent = extent_of(reader, settings, PackSettings())
        for line in outlook(settings, extent, tokenizer=config.tokenizer, packed=reader):
            _say(line)
    student = _student(engine, reader, objective, settings, model, ranks)
    stream = _stream(student, settings, ranks, resumed, stop_requested)
    gc.freeze()  # what start-up made stays, and is not looked through again
    gc.enable()
    log = None
    if ranks.rank == 0:
        board = output_dir / "tensorboard" if settings.tensorboard else None
        log = StepLog(output_dir / "metrics.jsonl", last_step=resumed.step, tensorboard=board)
    with log or nullcontext():
        outcome = train(
            student,
            stream,
            settings=settings,
            ranks=ranks,
            checkpoints=checkpoints,
            log=log,
            first_step=resumed.step,
            course=course_of(settings)
            | {
                "num_ranks": settings.num_ranks,
                "group_rows": resumed.group_rows,
                "published_first": resumed.published_first,
            },
        )
    student_files: dict[str, Content] = {}
    if outcome.finished:
        told = difference(settings, reader.num_rows) if ranks.rank == 0 and reader.finished else None
        if told:
            _say(told)
        weights = engine.whole_weights()
        if weights is not None:
            student_files = write(Path(config.student_dir), weights)
    _leave(outcome, output_dir, ranks, seal_of(reader), student_files)
    return 0


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Writes weights as a model folder beside the configuration and the tokenizer that they belong to."""

    model: Any
    tokenizer: Path
    end_token_id: int

    def __call__(self, folder: Path, weights: dict[str, torch.Tensor]) -> dict[str, Content]:
        return write_model_folder(
            folder, model=self.model, weights=weights, tokenizer=self.tokenizer, end_token_id=self.end_token_id
        )


def _build(settings: TrainSettings, encoder: ChatEncoder) -> Any:
    model = build_model(
        settings.model, vocab_size=encoder.vocab_size, seed=settings.seed, dtype=dtype_of(settings.bf16)
    )
    model.config.eos_token_id = encoder.end_token_id
    if settings.sequence_parallel_size > 1:
        heads = model.config.num_attention_heads
        check_heads(
            settings.sequence_parallel_size,
            heads=heads,
            kv_heads=getattr(model.config, "num_key_value_heads", None) or heads,
        )
    apply_layer_kernels(model, settings.layer_kernels)
    model.train()
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def _write_initial(folder: Path, settings: TrainSettings, write: _Writer, *, begun: bool) -> None:
    """The student before its first step. Another one that was left there is replaced, unless training has `begun`."""
    known = folder.with_name(f"{folder.name}.json")
    course = course_of(settings)
    mark = orjson.dumps({name: course[name] for name in ("model", "seed", "bf16")}, option=orjson.OPT_SORT_KEYS)
    if folder.exists() and (begun or (known.is_file() and known.read_bytes() == mark)):
        return
    known.unlink(missing_ok=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    if isinstance(settings.model, str):
        folder.symlink_to(Path(settings.model).absolute())
    else:
        write(folder, write.model.state_dict())
    known.write_bytes(mark)


def _engine(
    module: StudentLoss, checkpoints: CheckpointFolder, ranks: Ranks, settings: TrainSettings, reader: PackedReader
) -> tuple[ZeroEngine, _Resumed]:
    """The engine, with the newest whole checkpoint loaded."""
    checkpoint = _newest_undamaged(checkpoints, ranks)  # all have seen the same before any is changed
    own_group = settings.num_ranks // settings.sequence_parallel_size * settings.per_device_train_batch_size
    if ranks.rank == 0:
        checkpoints.clean()  # half of one may be what fills a disk
    streams = steps_course(settings).streams
    if checkpoint is None:
        return ZeroEngine(module, settings), _Resumed(step=0, group_rows=own_group, published_first=streams)
    _check_course(checkpoint, settings)
    check_mark(reader, checkpoint.facts, checkpoint.folder)
    resharded = checkpoint.facts["num_ranks"] != settings.num_ranks
    if resharded:
        make_universal(checkpoint.folder, rank=ranks.rank, barrier=ranks.barrier)
    engine = ZeroEngine(module, settings, universal=resharded)
    engine.load(checkpoint.folder)
    ranks.barrier()
    if ranks.rank == 0:
        then = f", which {checkpoint.facts['num_ranks']} ranks wrote" if resharded else ""
        _say(f"resumed from {checkpoint.folder.name}{then}")
    return engine, _Resumed(
        step=checkpoint.step,
        group_rows=checkpoint.facts["group_rows"],
        published_first=checkpoint.facts.get("published_first", streams),
    )


def _newest_undamaged(checkpoints: CheckpointFolder, ranks: Ranks) -> Checkpoint | None:
    """The newest whole checkpoint, each rank having read its share of the files; collective. Says which are passed over
    for which file.
    """
    before: int | None = None
    while True:
        checkpoint, messages = checkpoints.newest(before=before)
        if ranks.rank == 0:
            for message in messages:
                _say(message)
        damage = None if checkpoint is None else checkpoint.damage(part=ranks.rank, parts=ranks.world_size)
        if checkpoint is not None and damage is not None:
            _say(passed_over(checkpoint.folder, damage))
        found = ranks.gather([float(damage is not None)])
        if checkpoint is None or not any(of_rank[0] for of_rank in found):
            return checkpoint
        before = checkpoint.step


def _check_course(checkpoint: Checkpoint, settings: TrainSettings) -> None:
    for name, now in course_of(settings).items():
        then = checkpoint.facts.get(name)
        if then != now:
            raise ValueError(f"{name}: {now!r}, but checkpoint {str(checkpoint.folder)!r} was made with {then!r}")


def _student(
    engine: ZeroEngine,
    reader: PackedReader,
    objective: Objective,
    settings: TrainSettings,
    model: Any,
    ranks: Ranks,
) -> Student:
    dimensions = dimensions_of(settings.model, vocab_size=model.config.vocab_size)
    peak = peak_of(ranks.device, dtype_of(settings.bf16), settings.peak_flops)
    if ranks.rank == 0 and peak is not None and dimensions is not None:
        _say(f"utilisation is of {peak.flops_per_s:.4g} FLOP/s a rank: {peak.source}")
    return Student(
        engine=engine,
        reader=reader,
        cost=RowCost() if dimensions is None else dimensions.row_cost,
        rates=Rates(num_ranks=settings.num_ranks, dimensions=dimensions, peak=peak),
        objective=objective,
    )


def _stream(
    student: Student,
    settings: TrainSettings,
    ranks: Ranks,
    resumed: _Resumed,
    stop_requested: Callable[[], bool],
) -> StepStream:
    reader, course = student.reader, steps_course(settings)
    balanced = settings.balance_window_rows > 0
    order = RowOrder(
        settings.seed,
        num_ranks=resumed.group_rows,
        window_rows=max(1, settings.balance_window_rows),
        costs_of=(lambda num_rows: student.cost.of_rows(*reader.row_sums(num_rows))) if balanced else None,
        published_first=resumed.published_first,
    )
    return StepStream(
        reader,
        order,
        course,
        rank=ranks.rank,
        agree=agree,
        stop_requested=stop_requested,
        save_due=_every(settings.save_interval_s),
        say=_say,
    )


def _every(interval_s: float) -> Callable[[], bool]:
    """Whether so many seconds passed since it last said so; never, where the interval is 0."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if not interval_s or time.monotonic() - last < interval_s:
            return False
        last = time.monotonic()
        return True

    return due


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _leave(
    outcome: Outcome, output_dir: Path, ranks: Ranks, packed: str | None, student: Mapping[str, Content]
) -> None:
    if ranks.rank == 0:
        status = "finished" if outcome.finished else "stopped"
        write_status(output_dir, status, outcome.step, packed=packed, student=student)
    ranks.barrier()
    dist.destroy_process_group()


def ranks_of(device: torch.device, settings: TrainSettings) -> Ranks:
    """The own rank among those that `start_collectives` joined."""
    world_size = int(os.environ["WORLD_SIZE"])
    size = settings.sequence_parallel_size
    group = my_group(size)

    def gather(numbers: list[float]) -> list[list[float]]:
        own = torch.tensor(numbers, dtype=torch.float64, device=device)
        every = [torch.empty_like(own) for _ in range(world_size)]
        dist.all_gather(every, own)
        return [part.tolist() for part in every]

    more = {} if group is None else {"part": lambda batch: part_of(batch, group, size)}
    return Ranks(
        rank=dist.get_rank(), world_size=world_size, device=device, gather=gather, barrier=dist.barrier, **more
    )


def agree(decision: list[int]) -> list[int]:
    """The numbers that rank 0 passed."""
    shared = torch.tensor(decision, dtype=torch.int64, device="cuda" if torch.cuda.is_available() else "cpu")
    dist.broadcast(shared, src=0)
    return [int(number) for number in shared.tolist()]
