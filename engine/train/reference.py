"""Log-probabilities of all responses under the model that training begins with: worked out once, kept on disk beside
the checkpoints, and found again by every resume. The reference model itself is never in memory beside the student.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
import torch
import xxhash
from numpy.typing import NDArray

from reasonmill.engine.train.preference import Preferences
from reasonmill.packing.layout import PUBLISHED
from reasonmill.packing.pairs import PairReader

FILE = "reference.npy"


class Forward(Protocol):
    """What the reference needs of an engine; collective, so all ranks call it equally often."""

    def forward_only(self, *inputs: Any) -> torch.Tensor:
        """The module's output, without gradients."""
        ...


def reference_log_probabilities(
    engine: Forward,
    rows: Preferences,
    reader: PairReader,
    folder: Path,
    *,
    model: dict[str, Any],
    first_step: int,
    rank: int,
    world_size: int,
    device: torch.device,
    total: Callable[[list[float]], list[float]],
    say: Callable[[str], None] = lambda message: None,
) -> NDArray[np.float32]:
    """float32[D, 2, 2] by the number of the pair (see PairTargets): from the file in `folder` where it is of this
    `model` and this set, else from a pass over all rows; collective.

    Raises ValueError where there is no such file and training has begun: the engine's weights are others by now.
    """
    path, mark_path, mark = folder / FILE, folder / f"{FILE}.json", _mark(reader, model)
    is_here = mark_path.is_file() and path.is_file() and mark_path.read_bytes() == mark
    if total([float(is_here)])[0] == world_size:
        found: NDArray[np.float32] = np.load(path)
        return found
    if first_step:
        raise ValueError(f"{str(path)!r} is missing or of other pairs, and training is at step {first_step} already")
    if rank == 0:
        say(f"log-probabilities of {reader.num_documents:,} pairs under the initial model are worked out")
    sums = _pass(engine, rows, reader, rank, world_size, device)
    # each pair is known to one rank, the others add zeros
    whole = np.array(total(sums.reshape(-1).tolist()), np.float32).reshape(sums.shape)
    if rank == 0:
        _write(path, mark_path, whole, mark)
    return whole


def _pass(
    engine: Forward, rows: Preferences, reader: PairReader, rank: int, world_size: int, device: torch.device
) -> NDArray[np.float64]:
    sums = np.zeros((reader.num_documents, 2, 2))
    for first in range(0, reader.num_rows, world_size):
        own = [first + rank] if first + rank < reader.num_rows else []
        found = engine.forward_only(*rows.batch(own, device).inputs)
        if own:
            sums[list(reader.row(own[0]).documents)] = found.double().cpu().numpy()
    return sums


def _mark(reader: PairReader, model: dict[str, Any]) -> bytes:
    """What the file is of: the set as it is sealed, and the model."""
    published = xxhash.xxh3_128_hexdigest((reader.folder / PUBLISHED).read_bytes())
    return orjson.dumps({"set": published, "model": model}, option=orjson.OPT_SORT_KEYS)


def _write(path: Path, mark_path: Path, values: NDArray[np.float32], mark: bytes) -> None:
    """The values, then what says that they are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mark_path.unlink(missing_ok=True)
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("wb") as stream:
        np.save(stream, values)
    aside.replace(path)
    mark_path.write_bytes(mark)
