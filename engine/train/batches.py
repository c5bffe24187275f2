"""Rows of a packed set as the tensors of a micro-batch: documents end to end, nothing padded."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reasonmill.engine.train.loss import IGNORED
from reasonmill.kernels.attention import Documents, documents_of
from reasonmill.packing.reader import PackedReader


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """`rows` of the set; their N tokens as int64[1, N] tensors (labels already shifted), grouped by document."""

    rows: tuple[int, ...]
    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    documents: Documents


def micro_batch(reader: PackedReader, rows: Sequence[int], device: torch.device | str = "cpu") -> MicroBatch:
    """The rows' tokens; without rows one token that is no target, so that all ranks make the same calls."""
    parts = [reader.row(index) for index in rows]
    if not parts:
        none = torch.zeros((1, 1), dtype=torch.int64, device=device)
        return MicroBatch(
            rows=(),
            input_ids=none,
            position_ids=none,
            labels=torch.full_like(none, IGNORED),
            documents=documents_of(np.array([0, 1]), device),
        )
    ends = np.cumsum(np.concatenate([np.diff(part.cu_seqlens) for part in parts]), dtype=np.int64)
    joined = [
        torch.from_numpy(np.concatenate(arrays))[None].to(device)
        for arrays in (
            [part.input_ids for part in parts],
            [part.position_ids for part in parts],
            [part.labels for part in parts],
        )
    ]
    return MicroBatch(
        rows=tuple(rows),
        input_ids=joined[0],
        position_ids=joined[1],
        labels=joined[2],
        documents=documents_of(np.concatenate(([0], ends)), device),
    )
