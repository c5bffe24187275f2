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

    def rows(self, indices: Sequence[int]) -> PackedRow:
        """Rows end to end, as if they were one."""
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
    return batch_of(reader.rows(rows), rows, device, by_sample=by_sample)


def batch_of(
    read: PackedRow, rows: Sequence[int], device: torch.device | str = "cpu", *, by_sample: bool = False
) -> MicroBatch:
    """As `micro_batch`, of `rows` that were read. On a CPU the tensors are the row's own memory."""
    if not rows:
        none = torch.zeros((1, 1), dtype=torch.int64, device=device)
        return MicroBatch(
            rows=(),
            input_ids=none,
            position_ids=none,
            labels=torch.full_like(none, IGNORED),
            documents=documents_of(np.array([0, 1]), device),
            weights=none.float() if by_sample else None,
        )
    weights = None
    if by_sample:
        counts = np.add.reduceat((read.labels != IGNORED).astype(np.int64), read.cu_seqlens[:-1])
        of_tokens = np.repeat(1.0 / counts, np.diff(read.cu_seqlens)).astype(np.float32)
        weights = torch.from_numpy(of_tokens)[None].to(device)
    input_ids, position_ids, labels = (
        torch.from_numpy(array)[None].to(device) for array in (read.input_ids, read.position_ids, read.labels)
    )
    return MicroBatch(
        rows=tuple(rows),
        input_ids=input_ids,
        position_ids=position_ids,
        labels=labels,
        documents=documents_of(read.cu_seqlens, device),
        weights=weights,
    )
