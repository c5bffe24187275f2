"""Every way of attention over packed documents that runs here, forward and backward, on a row of real proportions."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of
from reasonmill.bench.gpu.clock import measure as timed
from reasonmill.kernels.attention import Documents, attend, documents_of, ways


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """Heads of Qwen2.5-32B; agreement with float32 first, then time beside one document of the whole row."""
    device = device_of(dry_run)
    heads, kv_heads, width, slots = (4, 2, 8, 96) if dry_run else (40, 8, 128, 32768)
    rng = np.random.default_rng(5)
    lengths = np.clip(np.rint(np.exp(rng.normal(7.75, 1.0, 200))), 16, slots // 3).astype(np.int64)
    lengths = lengths[np.cumsum(lengths) < slots]
    documents = documents_of(np.concatenate(([0], np.cumsum(lengths), [slots])), device)
    kind = torch.float32 if dry_run else torch.bfloat16
    query, key, value = (
        torch.randn((1, n, slots, width), device=device).to(kind).requires_grad_() for n in (heads, kv_heads, kv_heads)
    )
    found_ways = ways(device, kind, width)
    yield f"ways here, first choice first: {', '.join(found_ways)}"
    yield from _agreement(found_ways, documents, query, key, value, slots)

    def step(way: str, over: Documents) -> None:
        for x in (query, key, value):
            x.grad = None
        out, _ = attend(None, query, key, value, None, documents=over, way=way)
        out.backward(torch.ones_like(out))

    runs = {way: partial(step, way, documents) for way in found_ways}
    runs["one_document"] = partial(step, found_ways[0], documents_of(np.array([0, slots]), device))
    found = timed(runs, rounds=2 if dry_run else 5)
    sizes = np.diff(documents.ends).astype(np.float64)
    flops = 3.5 * 2 * heads * width * float((sizes**2).sum())  # causal: half of 4 s^2 d; backward 2.5 times forward
    for way in found.seconds:
        per_second = {} if way == "one_document" else {"tflops": round(flops / found.best(way) / 1e12, 1)}
        detail: dict[str, object] = {"peak_mib": round(found.peak_bytes[way] / 2**20), **per_second}
        yield Figure(name=f"{way}_ms", value=found.best(way) * 1e3, unit="ms", better="lower", detail=detail)
        if way not in ("one_document", found_ways[0]) and found_ways[0] in found.seconds:
            yield Figure(
                name=f"{found_ways[0]}_over_{way}", value=found.ratio(way, found_ways[0]), unit="x", gated=True
            )
    yield from found.remarks()


def _agreement(
    found_ways: tuple[str, ...], documents: Documents, query: Tensor, key: Tensor, value: Tensor, slots: int
) -> Iterator[Figure | str]:
    """Error of each way against float32 on the row's first documents."""
    end = documents.ends[min(4, len(documents.ends) - 1)]
    few = documents_of(documents.ends[documents.ends <= end], query.device)
    q, k, v = (x.detach()[:, :, : int(end)] for x in (query, key, value))
    exact, _ = attend(None, q.float(), k.float(), v.float(), None, documents=few, way="grouped_sdpa")
    for way in found_ways:
        try:
            found, _ = attend(None, q, k, v, None, documents=few, way=way)
        except Exception as error:  # noqa: BLE001 - it is told, and the others go on
            yield f"{way}: {type(error).__name__}: {str(error)[:300]}"
            continue
        error_of_way = float((found.float() - exact).norm() / exact.norm())
        yield Figure(name=f"{way}_error", value=error_of_way, unit="relative", better="lower", target=1e-2)
