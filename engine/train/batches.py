"""Rows of a packed set as the tensors of a micro-batch: documents end to end, nothing padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from reasonmill.engine.train.loss import IGNORED
from reasonmill.kernels.attention import documents_of
from reasonmill.packing.reader import PackedRow


class Rows(Protocol):
    """What rows are read from; a PackedReader."""

    def row(self, index: int) -> PackedRow:
        """One row."""
        ...


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """`rows` of the set; their N tokens as int64[1, N] tensors (labels already shifted), grouped by document. `weights`
    float32[1, N], where targets do not count alike.
    """

    rows: tuple[int, ...]
    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor
    documents: Any  # kernels.attention.Documents, or a stretch of them
    weights: Tensor | None = None

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What `StudentLoss.forward` takes."""
        return self.input_ids, self.position_ids, self.labels, self.documents, self.weights


def micro_batch(
    reader: Rows, rows: Sequence[int], device: torch.device | str = "cpu", *, by_sample: bool = False
) -> MicroBatch:
    """The rows' tokens; without rows one token that is no target, so that all ranks make the same calls.

    `by_sample`: the targets of a document weigh 1 together.
    """
    parts = [reader.row(index) for index in rows]
    if not parts:
        none = torch.zeros((1, 1), dtype=torch.int64, device=device)
        return MicroBatch(
            rows=(),
            input_ids=none,
            position_ids=none,
            labels=torch.full_like(none, IGNORED),
            documents=documents_of(np.array([0, 1]), device),
            weights=none.float() if by_sample else None,
        )
    lengths = np.concatenate([np.diff(part.cu_seqlens) for part in parts])
    ends = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    labels = np.concatenate([part.labels for part in parts])
    weights = None
    if by_sample:
        counts = np.add.reduceat((labels != IGNORED).astype(np.int64), ends[:-1])
        weights = torch.from_numpy(np.repeat(1.0 / counts, lengths).astype(np.float32))[None].to(device)
    joined = [
        torch.from_numpy(array)[None].to(device)
        for array in (
            np.concatenate([part.input_ids for part in parts]),
            np.concatenate([part.position_ids for part in parts]),
            labels,
        )
    ]
    return MicroBatch(
        rows=tuple(rows),
        input_ids=joined[0],
        position_ids=joined[1],
        labels=joined[2],
        documents=documents_of(ends, device),
        weights=weights,
    )
