"""Best match of each of many embeddings in an evaluation set: without the matrix of scores, against torch with it."""

from collections.abc import Iterator

import torch

from reasonmill.bench.figure import Figure
from reasonmill.bench.gpu.clock import device_of
from reasonmill.bench.gpu.clock import measure as timed
from reasonmill.kernels.gpu.top1 import top1


def measure(dry_run: bool) -> Iterator[Figure | str]:
    """bge-m3's 1,024 dimensions; a chunk of queries against an evaluation set, and few queries against many."""
    device = device_of(dry_run)
    shapes = {"tiny": (5, 140, 16)} if dry_run else {"chunk": (65536, 16384, 1024), "few": (256, 262144, 1024)}
    for name, (num_queries, num_candidates, width) in shapes.items():
        kind = torch.float32 if dry_run else torch.bfloat16
        generator = torch.Generator(device).manual_seed(3)
        queries, candidates = (
            torch.nn.functional.normalize(torch.randn((n, width), generator=generator, device=device)).to(kind)
            for n in (num_queries, num_candidates)
        )
        splits = 2 if dry_run else None

        def matrix(queries: torch.Tensor = queries, candidates: torch.Tensor = candidates) -> torch.Tensor:
            best = [(part @ candidates.t()).max(1).values for part in queries.split(8192)]
            return torch.cat(best)

        scores, indices = top1(queries, candidates, splits=splits)
        exact = (queries.float() * candidates[indices].float()).sum(1)
        error = float((scores - exact).abs().max())
        missed = float((matrix().float() - scores).max())  # how much better a candidate was that was not found
        yield Figure(name=f"{name}_score_error", value=error, unit="cosine", better="lower", target=1e-3)
        yield Figure(name=f"{name}_missed_by", value=missed, unit="cosine", better="lower", target=8e-3)
        found = timed(
            {
                "ours": lambda q=queries, c=candidates, s=splits: top1(q, c, splits=s),  # type: ignore[misc]
                "matrix": matrix,
            },
            rounds=2 if dry_run else 7,
        )
        flops = 2 * num_queries * num_candidates * width
        for one in found.seconds:
            yield Figure(
                name=f"{name}_{one}_ms",
                value=found.best(one) * 1e3,
                unit="ms",
                better="lower",
                detail={
                    "tflops": round(flops / found.best(one) / 1e12, 1),
                    "peak_mib": round(found.peak_bytes[one] / 2**20),
                },
            )
        if len(found.seconds) == 2:
            yield Figure(name=f"{name}_over_matrix", value=found.ratio("matrix", "ours"), unit="x", gated=True)
        yield from found.remarks()
