"""What stands behind `reasonmill train`: a packed folder to a student."""

import asyncio
import signal
import sys
from pathlib import Path

from reasonmill.engine.faults import RunFailed, Stopped
from reasonmill.engine.train.cause import cause_in
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.forecast import extent_of
from reasonmill.engine.train.launcher import EXIT_FINISHED, EXIT_MISTAKE, EXIT_STOPPED, TrainerProcess
from reasonmill.engine.train.model_files import check_model_files
from reasonmill.engine.train.outlook import outlook
from reasonmill.engine.train.packed_set import check_tokenizer, seal_of
from reasonmill.engine.train.preference_settings import check_rows
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.status import read_status, student_fault, trained_set
from reasonmill.engine.train.step_log import newest_record
from reasonmill.engine.train.watch import wait_watched
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.tokenizer import load_tokenizer, vocab_size

_PROGRESS_S = 10.0


def foretell(
    packed: str | None,
    settings: TrainSettings,
    pack: PackSettings,
    *,
    num_tokens: int | None = None,
    num_samples: int | None = None,
) -> list[str]:
    """Lines that say what a training will take. Raises ValueError for a folder that holds no packed set, or one of
    another tokenizer, for a model whose files are not whole, and for numbers that rows cannot be told from.
    """
    for name, number in (("--tokens", num_tokens), ("--samples", num_samples)):
        if packed is not None and number is not None:
            raise ValueError(f"{name} {number}: the packed set {packed!r} has its own number")
    reader = None if packed is None else PackedReader(packed)
    if reader is not None and not reader.max_length:
        raise ValueError(f"--packed {packed!r} holds no packed set")
    if reader is not None and pack.tokenizer:
        check_tokenizer(reader, pack.tokenizer)
        if isinstance(settings.model, str) and (Path(settings.model) / "config.json").is_file():
            columns = vocab_size(load_tokenizer(Path(pack.tokenizer)))
            check_model_files(Path(settings.model), vocab_size=columns)
    extent = extent_of(reader, settings, pack, num_tokens=num_tokens, num_samples=num_samples)
    return outlook(settings, extent, tokenizer=pack.tokenizer, packed=reader)


async def train_files(packed: str, output_dir: str, settings: TrainSettings, pack: PackSettings) -> Path:
    """Train on a finished packed set, from the newest checkpoint if there is one; returns the student's folder.

    SIGINT and SIGTERM save a checkpoint first. Raises ValueError for a set that is not finished or has no rows and for
    what a rank calls a mistake, RunFailed naming the log when training fails, Stopped after a signal.
    """
    reader = PackedReader(packed)
    if not reader.finished:
        raise ValueError(f"--packed {packed!r} holds no finished packed set")
    if not reader.num_rows:
        raise ValueError(f"--packed {packed!r} holds no row: nothing was packed")
    check_rows(packed, settings.preference)
    root = Path(output_dir).absolute()
    config = TrainConfig(
        packed=str(Path(packed).absolute()),
        output_dir=str(root / "train"),
        student_dir=str(root / "student"),
        tokenizer=str(Path(pack.tokenizer).absolute()),
        settings=settings,
    )
    path, log = root / "train" / "config.json", root / "logs" / "train.log"
    if _is_done(config, path, reader):
        return root / "student"
    for line in foretell(packed, settings, pack):
        print(line, file=sys.stderr, flush=True)
    config.write(path)
    trainer = TrainerProcess(path, log, settings.num_ranks)
    received: list[int] = []
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        received.append(number)
        trainer.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    begun = log.stat().st_size if log.exists() else 0
    await trainer.start()
    showing = asyncio.create_task(_show_progress(root / "train" / "metrics.jsonl"))
    try:
        status = await wait_watched(trainer, (log, root / "train" / "metrics.jsonl"), settings.stall_limit_s)
    finally:
        showing.cancel()
    if received and status in (EXIT_STOPPED, -signal.SIGTERM):  # the latter before it could hear: nothing is lost
        raise Stopped(received[0])
    if status is None:
        raise RunFailed(
            f"the trainer gave no sign of life for {settings.stall_limit_s:g} s and was killed: see {str(log)!r};"
            " the same command goes on from its newest checkpoint"
        )
    cause = cause_in(log, since=begun)
    if status == EXIT_MISTAKE and cause:
        raise ValueError(f"{cause} (see {str(log)!r})")
    if status != EXIT_FINISHED:
        raise RunFailed(f"training failed: {cause or f'the trainer ended with status {status}'} (see {str(log)!r})")
    return root / "student"


def _is_done(config: TrainConfig, path: Path, reader: PackedReader) -> bool:
    """Whether the very same training has ended before, on what the packed folder holds now, with a student that is
    still whole.
    """
    status = read_status(Path(config.output_dir))
    done = (
        status is not None
        and status[0] == "finished"
        and (Path(config.student_dir) / "config.json").exists()
        and TrainConfig.read(path) == config
        and trained_set(Path(config.output_dir)) in (None, seal_of(reader))
    )
    fault = student_fault(Path(config.output_dir), Path(config.student_dir)) if done else None
    if fault is not None:
        print(f"{fault}; the student is written again from the newest checkpoint", file=sys.stderr, flush=True)
    return done and fault is None


async def _show_progress(metrics: Path) -> None:
    shown = 0
    while True:
        await asyncio.sleep(_PROGRESS_S)
        record = newest_record(metrics)
        if record is not None and record["step"] != shown:
            shown = record["step"]
            rate = record["num_tokens"] / max(1e-9, record["end_unix_s"] - record["start_unix_s"])
            print(f"step {shown}  loss {record['loss']:.4f}  {rate:,.0f} tokens/s", file=sys.stderr, flush=True)
