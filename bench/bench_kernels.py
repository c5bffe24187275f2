"""Kernels on the CPU: rows packed by numba against torch, and the head's loss against one that holds every logit."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import interleave
from reasonmill.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_reference
from reasonmill.kernels.pack_rows import IGNORED, pack_rows, place
from reasonmill.kernels.pack_rows_reference import pack_rows_reference

# tokens, hidden size, columns: the quickstart's student, SmolLM2-135M, and a small body under a large head
HEADS = {"quickstart": (2048, 128, 1100), "smollm2": (512, 576, 49152), "wide": (1024, 128, 49152)}
_TARGETS = 0.6  # share of tokens that are targets
_ROUNDS = {"ci": 5, "node": 9}
_BUDGETS_MIB = (8, 128)  # beside the default of 32


def measure(scale: Scale) -> Iterator[Figure]:
    """Ratios of CPU time, interleaved in this process; peaks of memory in processes of their own."""
    torch.set_num_threads(1)
    yield from _packing(_ROUNDS[scale])
    for name, (num_tokens, width, columns) in HEADS.items():
        for kind in (torch.float32,) if name == "wide" else (torch.float32, torch.bfloat16):
            yield from _loss(f"{name}_{str(kind).removeprefix('torch.')}", num_tokens, width, columns, kind, scale)
    yield from _memory()


def _packing(rounds: int) -> Iterator[Figure]:
    """A row of 32,768 slots: documents of the lognormal lengths that packing is measured on, prompts of a tenth."""
    slots = 32768
    rng = np.random.default_rng(20250521)
    lengths = np.clip(np.rint(np.exp(rng.normal(7.75278, 1.0, 64))), 16, slots).astype(np.int64)
    lengths = lengths[np.cumsum(lengths) <= slots]
    tokens = rng.integers(0, 152064, int(lengths.sum())).astype(np.uint32)
    bits = np.concatenate([np.where(np.arange((n + 7) // 8) < n // 80, 0, 255) for n in lengths]).astype(np.uint8)
    placed = place(lengths, num_slots=slots)
    raw = (tokens.view(np.int32), bits, placed.first_token, placed.first_mask_byte, placed.weights, placed.cu_seqlens)
    inputs = [torch.from_numpy(array) for array in raw]
    twin = partial(
        pack_rows_reference,
        *inputs,
        num_documents=len(lengths),
        num_slots=slots,
        pad_id=0,
        ignored=IGNORED,
        dtype=torch.int64,
    )

    def repeated(work: Callable[[], object]) -> None:
        for _ in range(10):
            work()

    timings = interleave(
        {"numba": partial(repeated, partial(pack_rows, tokens, bits, placed)), "torch": partial(repeated, twin)},
        rounds=rounds,
    )
    yield timings.figure("pack_over_torch", "torch", "numba", target=5.0, tolerance=0.3, documents=len(lengths))
    yield Figure(name="pack_tokens", value=10 * slots / timings.best("numba"), unit="tokens/s")


def _inputs(num_tokens: int, width: int, columns: int, kind: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(num_tokens, width).to(kind).requires_grad_()
    head = (torch.randn(columns, width) * 0.05).to(kind).requires_grad_()
    labels = torch.randint(0, columns, (num_tokens,))
    labels[torch.rand(num_tokens) > _TARGETS] = IGNORED
    return hidden, head, labels


def targets_logits(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """The loss with the logits of all targets, and of no other token, in memory."""
    chosen = labels != IGNORED
    return linear_cross_entropy_reference(hidden[chosen], head, labels[chosen])


def torch_chunked(hidden: Tensor, head: Tensor, labels: Tensor) -> Tensor:
    """Torch's own, in chunks."""
    loss: Tensor = functional.linear_cross_entropy(
        hidden, head, labels, reduction="sum", options=torch.nn.LinearCrossEntropyOptions()
    )
    return loss


def _step(loss: Callable[..., Tensor], hidden: Tensor, head: Tensor, labels: Tensor) -> None:
    hidden.grad = head.grad = None
    loss(hidden, head, labels).backward()


def _loss(name: str, num_tokens: int, width: int, columns: int, kind: torch.dtype, scale: Scale) -> Iterator[Figure]:
    inputs = _inputs(num_tokens, width, columns, kind)
    losses: dict[str, Callable[..., Tensor]] = {"ours": linear_cross_entropy, "targets_logits": targets_logits}
    if name in ("quickstart_float32", "smollm2_float32"):  # seconds a step where the head is large
        losses |= {"all_logits": linear_cross_entropy_reference, "torch_chunked": torch_chunked}
    budgets = _BUDGETS_MIB if name == "smollm2_float32" else ()
    for mib in budgets:
        losses[f"budget_{mib}"] = partial(linear_cross_entropy, logits_bytes=mib * 2**20)
    runs = {one: partial(_step, loss, *inputs) for one, loss in losses.items()}
    timings = interleave(runs, rounds=_ROUNDS[scale] if name.startswith("quickstart") else 3)
    for peer in [one for one in losses if one != "ours" and not one.startswith("budget")]:
        yield timings.figure(f"loss_{name}_over_{peer}", peer, "ours", target=1.0)
    yield Figure(name=f"loss_{name}_ms", value=timings.best("ours") * 1e3, unit="ms", better="lower")
    for mib in budgets:
        yield Figure(
            name=f"loss_budget_{mib}_mib_{name}", value=timings.ratio("targets_logits", f"budget_{mib}"), unit="x"
        )


def _memory() -> Iterator[Figure]:
    """Peak resident memory of one forward and backward beyond its inputs, each loss in a process of its own."""
    peaks = {}
    for loss in ("linear_cross_entropy", "targets_logits", "linear_cross_entropy_reference", "torch_chunked"):
        command = [sys.executable, "-P", "-c", f"from {__name__} import tell_peak; tell_peak({loss!r})"]
        peaks[loss] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = peaks.pop("linear_cross_entropy")
    yield Figure(name="loss_memory_mib", value=ours / 2**20, unit="MiB", better="lower", detail={"shape": "smollm2"})
    for peer, peak in peaks.items():
        yield Figure(
            name=f"loss_memory_{peer}_over_ours",
            value=peak / ours,
            unit="x",
            target=1.0,
            gated=True,
            detail={"peer_mib": round(peak / 2**20)},
        )


def tell_peak(loss: str) -> None:
    """Print the bytes that a step of a loss needed at most beyond its inputs and what a first, tiny step loads."""
    torch.set_num_threads(1)
    _step(globals()[loss], *_inputs(8, 16, 32, torch.float32))
    inputs = _inputs(*HEADS["smollm2"], torch.float32)
    before = _memory_kib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts anew
    _step(globals()[loss], *inputs)
    print(1024 * (_memory_kib("VmHWM") - before))


def _memory_kib(name: str) -> int:
    match = re.search(rf"^{name}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match, "Linux tells a process its memory"
    return int(match.group(1))
