"""How fast a training goes beside what its devices could do: tokens a second, and model FLOP utilisation with the peak
that it is a share of.
"""

import time
from dataclasses import dataclass

import torch

from reasonmill.engine.train.dimensions import Dimensions

# Dense bfloat16 FLOPs a second without sparsity, by NVIDIA's data sheets; the first name that the device's holds.
_DATA_SHEETS = (
    ("B200", 2.25e15),
    ("H200", 989.4e12),
    ("H100 PCIe", 756.5e12),
    ("H100 NVL", 835.5e12),
    ("H100", 989.4e12),
    ("H800", 989.4e12),
    ("A100", 312e12),
    ("A800", 312e12),
    ("L40S", 362e12),
    ("RTX 4090", 165.2e12),
)
_SIZE, _ROUNDS = 384, 5  # of the product that a CPU's peak is measured by: 0.1 GFLOP, some milliseconds


@dataclass(frozen=True, kw_only=True)
class Peak:
    """FLOPs a second of one rank's device, and where the figure is from."""

    flops_per_s: float
    source: str


def peak_of(device: torch.device, dtype: torch.dtype, stated: float | None) -> Peak | None:
    """The stated one, a GPU's by its data sheet, or a CPU's as measured; None for a GPU that is not known."""
    if stated is not None:
        return Peak(flops_per_s=stated, source="train.peak_flops")
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        found = next((flops for known, flops in _DATA_SHEETS if known in name), None)
        return None if found is None else Peak(flops_per_s=found, source=f"{name}, dense bfloat16, data sheet")
    kind = str(dtype).removeprefix("torch.")
    return Peak(flops_per_s=_measured(dtype), source=f"best {kind} matrix product of {_ROUNDS} on this CPU")


def _measured(dtype: torch.dtype) -> float:
    left, right = (torch.ones((_SIZE, _SIZE), dtype=dtype) for _ in range(2))
    left @ right
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - began)
    return 2.0 * _SIZE**3 / best


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Of a student over `num_ranks` devices. Without dimensions (a mixture of experts) there is no utilisation."""

    num_ranks: int
    dimensions: Dimensions | None = None
    peak: Peak | None = None

    def of_step(self, step_s: float, num_tokens: int, squares: int, num_targets: int) -> dict[str, float]:
        """Figures of a step that took `step_s` seconds; `squares` is the sum of its documents' squared lengths."""
        rank_s = step_s * self.num_ranks
        figures = {"step_s": step_s, "tokens_per_s_per_rank": num_tokens / rank_s}
        if self.dimensions is not None:
            rate = self.dimensions.step_flops(num_tokens, squares, num_targets) / rank_s
            figures["flops_per_s_per_rank"] = rate
            if self.peak is not None:
                figures |= {"mfu": rate / self.peak.flops_per_s, "peak_flops": self.peak.flops_per_s}
        return figures
