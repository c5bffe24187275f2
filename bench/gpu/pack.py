"""The pack kernel on a row of 32,768 slots: one launch, held against a launch that does nothing."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of, graphed
from reasonmill.bench.gpu.clock import measure as timed
from reasonmill.kernels.gpu.pack_rows import pack_rows as launch
from reasonmill.kernels.pack_rows import IGNORED, _stage, pack_rows, place
from reasonmill.kernels.pack_rows_reference import pack_rows_reference


@triton.jit
def _nothing(out: Any, BLOCK: tl.constexpr) -> None:
    tl.store(out + tl.arange(0, BLOCK), tl.zeros((BLOCK,), tl.int32))


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Launch, device and end-to-end times of a micro-batch."""
    device = device_of(dry_run)
    slots = 600 if dry_run else 32768
    rng = np.random.default_rng(1)
    lengths = np.clip(np.rint(np.exp(rng.normal(7.75, 1.0, 64))), 16, slots // 4).astype(np.int64)
    lengths = lengths[np.cumsum(lengths) < slots]
    tokens = rng.integers(0, 152064, int(lengths.sum())).astype(np.uint32)
    bits = np.concatenate([np.where(np.arange((n + 7) // 8) < n // 40, 0, 255) for n in lengths]).astype(np.uint8)
    placement = place(lengths, num_slots=slots, max_documents=256)
    staged = _stage(tokens, bits, placement, device)
    options: dict[str, Any] = {"num_documents": len(lengths), "num_slots": slots, "pad_id": 0, "ignored": IGNORED}

    out = launch(*staged, dtype=torch.int64, **options)

    def kernel() -> tuple[Tensor, ...]:
        return launch(*staged, dtype=torch.int64, out=out, **options)

    def twin() -> tuple[Tensor, ...]:
        return pack_rows_reference(*staged, dtype=torch.int64, **options)

    for found, expected in zip(kernel(), twin(), strict=True):
        if not torch.equal(found, expected):
            raise ValueError("the kernel and its twin differ")
    empty = torch.empty(32, dtype=torch.int32, device=device)
    found = timed(
        {
            "launch": kernel,
            "empty_launch": lambda: _nothing[(1,)](empty, BLOCK=32),
            "twin": twin,
            "from_host": lambda: pack_rows(tokens, bits, placement, device=device),
        },
        rounds=2 if dry_run else 9,
        calls=1 if dry_run else 200,
    )
    detail: dict[str, object] = {"slots": slots, "documents": len(lengths)}
    for name in found.seconds:
        yield Figure(name=f"{name}_us", value=found.best(name) * 1e6, unit="us", better="lower", detail=detail)
    if {"launch", "empty_launch"} <= found.seconds.keys():
        yield Figure(
            name="launch_over_empty_launch",
            value=found.ratio("launch", "empty_launch"),
            unit="x",
            better="lower",
            target=1.5,
            gated=True,
            detail=detail,
        )
    yield from found.remarks()
    alone = timed({"device": graphed(kernel)}, rounds=2 if dry_run else 9, calls=1 if dry_run else 200)
    moved = int(lengths.sum()) * 5 + slots * (3 * 8 + 8)
    yield from alone.remarks()
    if not alone.seconds:
        return
    if "empty_launch" in found.seconds:
        over = alone.best("device") / found.best("empty_launch")
        yield Figure(name="device_over_empty_launch", value=over, unit="x", better="lower", target=1.5, detail=detail)
    yield Figure(name="device_us", value=alone.best("device") * 1e6, unit="us", better="lower", detail=detail)
    yield Figure(name="device_gb_s", value=moved / alone.best("device") / 1e9, unit="GB/s", detail=detail)
