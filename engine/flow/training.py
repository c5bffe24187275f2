"""Keeps the trainer alive: a rank that dies takes the trainer down, and it starts again from its newest checkpoint."""

import asyncio
from pathlib import Path

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.launcher import EXIT_FAULT, EXIT_FINISHED, EXIT_MISTAKE, TrainerProcess
from reasonmill.engine.train.settings import TrainSettings

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
        await trainer.start()
        try:
            status = await trainer.wait()
        except asyncio.CancelledError:
            await _stop(trainer)
            raise
        if status == EXIT_FINISHED and (paths.student / "config.json").exists():
            return
        if status in (EXIT_MISTAKE, EXIT_FAULT):
            raise TrainingFailed(f"training cannot go on (status {status}), the cause is at the end of {log}")
        if start < MAX_RESTARTS:
            telemetry.count("trainer_restarts")
    raise TrainingFailed(
        f"the trainer ended {MAX_RESTARTS + 1} times without a student, last with status {status}: see {log}"
    )


async def _stop(trainer: TrainerProcess) -> None:
    trainer.terminate()
    try:
        await asyncio.wait_for(trainer.wait(), STOP_GRACE_S)
    except TimeoutError:
        trainer.kill()
        await trainer.wait()
