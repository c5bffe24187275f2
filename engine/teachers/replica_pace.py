"""How fast a replica is, measured: seconds of one decoding step as a line over the number of requests in its batch.

A step takes `a + b n` seconds with n requests open: memory traffic of the weights, plus that of each request's cache
(arXiv 2505.08311 section 4.3.1: 50 tok/s alone, 28 each at 16, 19 each at 32: 19.5 ms + 1.0 ms n). The line's shape is
learnt slowly, over thousands of answers; its level follows the last twenty.
"""

_KEEP = 0.9995  # weight that a completion leaves to those before it, for the shape
_FOLLOW = 0.05  # share of the level that a completion moves
_PRIOR_SLOPE = 0.05  # b / a where the figures do not tell them apart; the paper's own
_PRIOR_WEIGHT = 0.1  # completions that the prior slope is worth


class Pace:
    """Exponentially weighted least squares: five sums."""

    __slots__ = ("_base_s", "_level", "_slope_s", "_w", "_wx", "_wxx", "_wxy", "_wy")

    def __init__(self, base_s: float = 0.02, slope_s: float = 0.001) -> None:
        """A guess until the first completion."""
        self._w = self._wx = self._wy = self._wxx = self._wxy = 0.0
        self._level = 1.0
        self._base_s = base_s
        self._slope_s = slope_s

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return self._w > 0.0

    @property
    def base_s(self) -> float:
        """Seconds of a step that do not depend on the batch."""
        return self._level * self._base_s

    @property
    def slope_s(self) -> float:
        """Seconds of a step for each request in the batch."""
        return self._level * self._slope_s

    def guess(self, other: "Pace") -> None:
        """Take another's figures until the first completion of its own."""
        if not self.known:
            self._base_s, self._slope_s, self._level = other._base_s, other._slope_s, other._level

    def observe(self, step_s: float, num_open: float) -> None:
        """A completion whose tokens took `step_s` each while `num_open` requests were open on average."""
        first = not self.known
        self._w = self._w * _KEEP + 1.0
        self._wx = self._wx * _KEEP + num_open
        self._wy = self._wy * _KEEP + step_s
        self._wxx = self._wxx * _KEEP + num_open * num_open
        self._wxy = self._wxy * _KEEP + num_open * step_s
        self._fit()
        if first:
            self._level = 1.0
        self._level += _FOLLOW * (step_s / (self._base_s + self._slope_s * num_open) - self._level)

    def step_s(self, num_open: float) -> float:
        """Seconds that each of `num_open` requests needs for a token."""
        return self._level * (self._base_s + self._slope_s * num_open)

    def gain_of_doubling(self, num_open: float) -> float:
        """How many times more tokens a second twice the requests would give: 2 when idle, towards 1 when saturated."""
        return 2.0 * self.step_s(num_open) / self.step_s(2.0 * num_open)

    def _fit(self) -> None:
        """Least squares with the penalty strength (b - k a)^2, which has no unit of its own."""
        mean = self._wx / self._w
        strength = _PRIOR_WEIGHT * max(1.0, mean * mean)
        aa = self._w + strength * _PRIOR_SLOPE**2
        ab = self._wx - strength * _PRIOR_SLOPE
        bb = self._wxx + strength
        determinant = aa * bb - ab * ab
        base = (bb * self._wy - ab * self._wxy) / determinant
        slope = (aa * self._wxy - ab * self._wy) / determinant
        step = self._wy / self._w
        if slope <= 0.0:
            base, slope = step, 0.0
        elif base <= 0.0:
            base, slope = 0.0, step / mean
        self._base_s, self._slope_s = base, slope
