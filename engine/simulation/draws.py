"""Chance as a function of what it is drawn for: the same words give the same numbers on every machine, in any order."""

from statistics import NormalDist

import xxhash

_NORMAL = NormalDist()
_SPACE = 2**32


def shares(*words: str | int) -> tuple[float, float, float, float]:
    """Four independent numbers, uniform in (0, 1)."""
    number = int(xxhash.xxh3_128_intdigest("\x1f".join(map(str, words)).encode("utf-8", "surrogatepass")))
    return (
        ((number & 0xFFFF_FFFF) + 0.5) / _SPACE,
        ((number >> 32 & 0xFFFF_FFFF) + 0.5) / _SPACE,
        ((number >> 64 & 0xFFFF_FFFF) + 0.5) / _SPACE,
        ((number >> 96) + 0.5) / _SPACE,
    )


def normal(share: float) -> float:
    """Standard normal of a uniform share."""
    return _NORMAL.inv_cdf(share)


def share_of(normal: float) -> float:
    """Share of standard normals below this one, kept inside (0, 1)."""
    return min(max(_NORMAL.cdf(normal), 1e-12), 1.0 - 1e-12)


def mixed(common: float, own: float, correlation: float) -> float:
    """A standard normal that has `correlation` with others mixed from the same `common` one."""
    return float(correlation**0.5 * common + (1.0 - correlation) ** 0.5 * own)
