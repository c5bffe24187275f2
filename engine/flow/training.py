"""Keeps the trainer alive: a rank that dies takes the trainer down, and it starts again from its newest checkpoint."""

import asyncio
from pathlib import Path

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.train.cause import cause_in
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.launcher import EXIT_FAULT, EXIT_FINISHED, EXIT_MISTAKE, TrainerProcess
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.watch import wait_watched

MAX_RESTARTS = 3
STOP_GRACE_S = 30.0  # for a checkpoint on SIGTERM, before the trainer is killed


class TrainingFailed(RunFailed):
    """The trainer ended without a student as often as it may; the message names its log."""


def _write_config(paths: RunDirectory, settings: TrainSettings, tokenizer: str) -> Path:
    config = TrainConfig(
        packed=str(paths.packed),
        output_dir=str(paths.train),
        student_dir=str(paths.student),
        tokenizer=tokenizer,
        settings=settings,
    )
    path = paths.train / "config.json"
    config.write(path)
    return path


async def train(paths: RunDirectory, settings: TrainSettings, tokenizer: str, telemetry: Telemetry) -> None:
    """Run the trainer until the student is written. Raises TrainingFailed."""
    if (paths.student / "config.json").exists():
        return
    config, log = _write_config(paths, settings, tokenizer), paths.logs / "train.log"
    for start in range(MAX_RESTARTS + 1):
        trainer = TrainerProcess(config, log, settings.num_ranks)
        begun = log.stat().st_size if log.exists() else 0
        await trainer.start()
        try:
            status = await wait_watched(trainer, (log, paths.train / "metrics.jsonl"), settings.stall_limit_s)
        except asyncio.CancelledError:
            await _stop(trainer)
            raise
        if status == EXIT_FINISHED and (paths.student / "config.json").exists():
            return
        cause = cause_in(log, since=begun)
        if status in (EXIT_MISTAKE, EXIT_FAULT):
            raise TrainingFailed(
                f"training cannot go on: {cause or f'the trainer ended with status {status}'} (see {log})"
            )
        if start < MAX_RESTARTS:
            telemetry.count("trainer_restarts" if status is not None else "trainer_restarts_after_stall")
    last = f"with status {status}" if status is not None else f"without a sign of life for {settings.stall_limit_s:g} s"
    raise TrainingFailed(
        f"the trainer ended {MAX_RESTARTS + 1} times without a student, last {last}{f': {cause}' if cause else ''}"
        f" (see {log})"
    )


async def _stop(trainer: TrainerProcess) -> None:
    trainer.terminate()
    try:
        await asyncio.wait_for(trainer.wait(), STOP_GRACE_S)
    except TimeoutError:
        trainer.kill()
        await trainer.wait()
