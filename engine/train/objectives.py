"""The objective that the settings ask for, and its parts: the reader of the rows, the module of the loss."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.loop import Ranks
from reasonmill.engine.train.loss import StudentLoss
from reasonmill.engine.train.objective import Objective, Supervised
from reasonmill.engine.train.preference import Preferences
from reasonmill.engine.train.preference_loss import PreferenceLoss
from reasonmill.engine.train.preference_settings import check_rows
from reasonmill.engine.train.reference import Forward, reference_log_probabilities
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.pairs import PairReader
from reasonmill.packing.reader import PackedReader


def loss_module(model: nn.Module, settings: TrainSettings) -> StudentLoss:
    """The model with its loss."""
    if settings.preference is None:
        return StudentLoss(model, fused=settings.fused_loss)
    return PreferenceLoss(model, settings.preference, fused=settings.fused_loss)


def open_reader(packed: str, settings: TrainSettings) -> PackedReader:
    """Rows of samples or of pairs. Raises ValueError where the folder holds the other kind."""
    check_rows(packed, settings.preference)
    return PackedReader(packed) if settings.preference is None else PairReader(packed)


def objective_of(
    module: StudentLoss,
    engine: Forward,
    reader: PackedReader,
    config: TrainConfig,
    ranks: Ranks,
    *,
    first_step: int,
    say: Callable[[str], None],
) -> Objective:
    """The objective; of preferences with the reference worked out, for which the engine holds the initial weights at
    step 0. Collective. Raises ValueError as `reference_log_probabilities`.
    """
    if not isinstance(module, PreferenceLoss):
        return Supervised(reader, by_sample=config.settings.loss_weighting == "sample")
    assert isinstance(reader, PairReader), "opened for the same settings"
    reference = reference_log_probabilities(
        engine,
        Preferences(reader, module),
        reader,
        Path(config.output_dir),
        model=_model_of(config.settings),
        first_step=first_step,
        rank=ranks.rank,
        world_size=ranks.world_size,
        device=ranks.device,
        total=lambda numbers: [sum(of_ranks) for of_ranks in zip(*ranks.gather(numbers), strict=True)],
        say=say,
    )
    return Preferences(reader, module, reference)


def _model_of(settings: TrainSettings) -> dict[str, Any]:
    """What decides the log-probabilities beside the pairs."""
    shape = settings.model if isinstance(settings.model, str) else dataclasses.asdict(settings.model)
    return {"model": shape, "seed": settings.seed, "bf16": settings.bf16}
