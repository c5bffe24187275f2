"""Lengths of reasoning samples in tokens, to measure packing into rows of 32768: from a seed, always the same."""

import numpy as np
from numpy.typing import NDArray

CAPACITY = 32768
# arXiv 2505.14464 figure 3: samples by length, in steps of 1024 up to 10240, then all longer ones
_FIGURE_3 = {
    "am_thinking": (153460, 143419, 67300, 42334, 29715, 22388, 17503, 13704, 11262, 9091, 48304),
    "qwen3_235b": (52917, 144912, 93894, 62687, 46133, 35957, 27951, 22388, 17232, 13026, 41384),
    "deepseek_r1": (24559, 194166, 110855, 64858, 42334, 29579, 21167, 16282, 12347, 9498, 32836),
}
TEACHERS = tuple(_FIGURE_3)
_SHORTEST = 16
_TAIL = 5000  # mean excess over 10240 of the longer ones; the figure says no more of them


def log_normal(count: int, mean: float = 3785.0, sigma: float = 1.0) -> NDArray[np.int64]:
    """The first `count` of a million lengths whose mean, cut to 16 and 32768, is `mean`."""
    normal = np.random.Generator(np.random.PCG64(20250521)).standard_normal(1_000_000)

    def lengths(mu: float) -> NDArray[np.float64]:
        drawn: NDArray[np.float64] = np.clip(np.rint(np.exp(mu + sigma * normal)), _SHORTEST, CAPACITY)
        return drawn

    low, high = 0.0, 12.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if lengths(middle).mean() < mean else (low, middle)
    return lengths(high)[:count].astype(np.int64)


def teacher(name: str, count: int) -> NDArray[np.int64]:
    """`count` lengths by the printed histogram of a teacher; even within a bar."""
    random = np.random.default_rng(20250521)
    bars = np.array(_FIGURE_3[name])
    bar = random.choice(len(bars), size=count, p=bars / bars.sum())
    inside = bar * 1024 + random.integers(0, 1024, count)
    beyond = 10240 + random.exponential(_TAIL, count)
    drawn = np.where(bar == len(bars) - 1, beyond, inside)
    lengths: NDArray[np.int64] = np.clip(np.rint(drawn), _SHORTEST, CAPACITY).astype(np.int64)
    return lengths


def lower_bound(lengths: NDArray[np.int64], capacity: int = CAPACITY) -> int:
    """Rows that no packing can do without: those that the tokens fill."""
    return -int(-lengths.sum() // capacity)
