"""Norm, gate and rotation at the shapes of Qwen2.5-32B, held against measured copy bandwidth, Liger and torch."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import Measured, device_of, graphed
from reasonmill.bench.gpu.clock import measure as timed
from reasonmill.kernels.gpu import rms_norm as norm_kernel
from reasonmill.kernels.gpu import swiglu as gate_kernel
from reasonmill.kernels.rms_norm import rms_norm
from reasonmill.kernels.rope import rope, rope_tables
from reasonmill.kernels.swiglu import swiglu

Step = Callable[[], object]


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Bandwidth of a copy first: the ceiling of all that follows."""
    device = device_of(dry_run)
    rows, width, inner = (3, 64, 96) if dry_run else (32768, 5120, 27648)
    rounds = 2 if dry_run else 7
    ceiling = _copy_rate(1000 if dry_run else 2**29, device, rounds)
    yield Figure(name="copy_gb_s", value=ceiling / 1e9, unit="GB/s")
    yield from _norm(rows, width, device, ceiling, rounds)
    yield from _gate(rows, inner, device, ceiling, rounds)
    yield from _rotation(rows, device, ceiling, rounds, dry_run)


def _copy_rate(size: int, device: torch.device, rounds: int) -> float:
    """Bytes a second, those read and those written."""
    source = torch.randn(size, device=device)
    target = torch.empty_like(source)
    copied = timed({"copy": lambda: target.copy_(source)}, rounds=rounds)
    size_bytes: int = source.numel() * source.element_size()
    return 2 * size_bytes / copied.best("copy")


def _tensors(count: int, *shape: int, device: torch.device) -> list[Tensor]:
    kind = torch.float32 if device.type == "cpu" else torch.bfloat16
    return [torch.randn(shape, device=device).to(kind).requires_grad_() for _ in range(count)]


def _both_ways(function: Callable[..., Any], inputs: list[Tensor]) -> Step:
    """Forward and backward; the gradients of the outputs are ones, made before."""
    ones: list[Tensor] = []

    def step() -> None:
        for x in inputs:
            x.grad = None
        outputs = function(*inputs)
        chosen = [out for out in (outputs if isinstance(outputs, tuple) else (outputs,)) if out.requires_grad]
        if not ones:
            ones.extend(torch.ones_like(out) for out in chosen)
        torch.autograd.backward(chosen, ones)

    return step


def _told(
    name: str, found: Measured, moved: dict[str, int], ceiling: float, targets: dict[str, float]
) -> Iterator[Figure | str]:
    for one in found.seconds:
        yield Figure(name=f"{name}_{one}_ms", value=found.best(one) * 1e3, unit="ms", better="lower")
        if one in moved:
            share = moved[one] / found.best(one) / ceiling
            yield Figure(name=f"{name}_{one}_of_copy", value=share, unit="x", target=targets.get(one), gated=True)
        for ours, peer in (("forward", "torch_forward"), ("step", "torch_step"), ("step", "liger_step")):
            if one == peer and ours in found.seconds:
                yield Figure(name=f"{name}_{ours}_over_{peer}", value=found.ratio(peer, ours), unit="x", gated=True)
    for remark in found.remarks():
        yield f"{name}: {remark}"


def _norm(rows: int, width: int, device: torch.device, ceiling: float, rounds: int) -> Iterator[Figure | str]:
    x, residual = _tensors(2, rows, width, device=device)
    (scale,) = _tensors(1, width, device=device)

    def liger(x: Tensor, scale: Tensor) -> Tensor:
        from liger_kernel.ops.rms_norm import LigerRMSNormFunction

        out: Tensor = LigerRMSNormFunction.apply(x, scale, 1e-6, 0.0, "llama", False)
        return out

    def ours(x: Tensor, scale: Tensor) -> Tensor:
        return rms_norm(x, scale, 1e-6, triton=True)[0]

    def twin(x: Tensor, scale: Tensor) -> Tensor:
        return rms_norm(x, scale, 1e-6, triton=False)[0]

    plain, added = x.detach(), residual.detach()
    found = timed(
        {
            "forward": graphed(lambda: norm_kernel.forward(plain, None, scale.detach(), 1e-6)),
            "forward_added": graphed(lambda: norm_kernel.forward(plain, added, scale.detach(), 1e-6)),
            "torch_forward": lambda: rms_norm(plain, scale.detach(), 1e-6, triton=False),
            "step": _both_ways(ours, [x, scale]),
            "torch_step": _both_ways(twin, [x, scale]),
            "liger_step": _both_ways(liger, [x, scale]),
            "step_added": _both_ways(lambda x, s, r: rms_norm(x, s, 1e-6, r, triton=True), [x, scale, residual]),
        },
        rounds=rounds,
    )
    size = x.numel() * x.element_size()
    moved = {"forward": 2 * size, "forward_added": 4 * size, "step": 5 * size, "step_added": 8 * size}
    yield from _told("norm", found, moved, ceiling, {"forward": 0.85, "forward_added": 0.85})


def _gate(rows: int, inner: int, device: torch.device, ceiling: float, rounds: int) -> Iterator[Figure | str]:
    gate, up = _tensors(2, rows, inner, device=device)

    def liger(gate: Tensor, up: Tensor) -> Tensor:
        from liger_kernel.ops.swiglu import LigerSiLUMulFunction

        out: Tensor = LigerSiLUMulFunction.apply(gate, up)
        return out

    found = timed(
        {
            "forward": graphed(lambda: gate_kernel.forward(gate.detach(), up.detach())),
            "torch_forward": lambda: swiglu(gate.detach(), up.detach(), triton=False),
            "step": _both_ways(partial(swiglu, triton=True), [gate, up]),
            "torch_step": _both_ways(partial(swiglu, triton=False), [gate, up]),
            # Liger's overwrites gate and up in its backward: its inputs are copies, made within the time
            "liger_step": _both_ways(lambda g, u: liger(g.clone(), u.clone()), [gate, up]),
        },
        rounds=rounds,
    )
    size = gate.numel() * gate.element_size()
    yield from _told("gate", found, {"forward": 3 * size, "step": 8 * size}, ceiling, {"forward": 0.85})


def _rotation(rows: int, device: torch.device, ceiling: float, rounds: int, dry_run: bool) -> Iterator[Figure | str]:
    heads, kv_heads, width = (4, 2, 16) if dry_run else (40, 8, 128)
    (query,) = _tensors(1, heads, rows, width, device=device)
    (key,) = _tensors(1, kv_heads, rows, width, device=device)
    positions = torch.arange(rows, device=device)
    tables = rope_tables(width, rows, 1e6, device)

    def ours(query: Tensor, key: Tensor, *, triton: bool) -> tuple[Tensor, Tensor]:
        return rope(query.transpose(0, 1), key.transpose(0, 1), positions, *tables, triton=triton)

    def liger(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        from liger_kernel.ops.rope import LigerRopeFunction

        wide = [torch.cat((table, table), -1)[None].to(query.dtype) for table in tables]
        # its kernel writes over its inputs: clones, made within the time
        outputs: tuple[Tensor, Tensor] = LigerRopeFunction.apply(query[None].clone(), key[None].clone(), *wide)
        return outputs

    found = timed(
        {
            "step": _both_ways(partial(ours, triton=True), [query, key]),
            "torch_step": _both_ways(partial(ours, triton=False), [query, key]),
            "liger_step": _both_ways(liger, [query, key]),
        },
        rounds=rounds,
    )
    size = (query.numel() + key.numel()) * query.element_size()
    yield from _told("rotation", found, {"step": 4 * size}, ceiling, {})
