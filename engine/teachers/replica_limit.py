"""How many requests a replica is given at once: by its KV cache's headroom where it tells, else by what comes back.

With a load: what fills 0.8 of the cache once the open requests are, on average, as far as those of a steady batch:
grow up to it in steps; shrink to it above 0.9, and to what runs when requests wait. Without one: add while twice the
requests would still give a tenth more tokens a second, take back where they would not; cut by a quarter when the
replica says that it has too many.
"""

from reasonmill.engine.teachers.protocol import ReplicaLoad

AIM, SHRINK_ABOVE = 0.8, 0.9  # share of the KV cache in use
_GROWTH = 1.25  # a poll
_CUT, _CROWDED_CUT = 0.9, 0.75
_WORTH_DOUBLING, _NOT_WORTH = 1.1, 1.05  # tokens a second of twice the requests; between them the limit stays
_USED = 0.9  # share of the limit that must be in use before more is of any use


class ReplicaLimit:
    """The limit of one replica, between 1 and `most`."""

    __slots__ = ("_peak", "_value", "_waited", "most")

    def __init__(self, *, initial: int, most: int) -> None:
        self.most = most
        self._value = float(max(1, min(initial, most)))
        self._peak = 0
        self._waited = False

    @property
    def value(self) -> int:
        """Requests that it may have open now."""
        return int(self._value)

    def opened(self, num_open: int) -> None:
        """So many are open now."""
        if num_open > self._peak:
            self._peak = num_open

    def polled(self, load: ReplicaLoad, *, ripeness: float, num_open: int) -> None:
        """Move by what the replica told. `ripeness`: mean tokens of its open requests by those of a steady batch, where
        they are half done, so that a batch of beginners does not look like room.
        """
        used, self._peak = self._peak >= _USED * self.value, num_open
        waiting, self._waited = self._waited and load.waiting > 0, load.waiting > 0
        fits = float(self.most)
        if num_open and load.kv_cache_usage > 0.0:
            fits = AIM * num_open * ripeness / load.kv_cache_usage
        if load.kv_cache_usage > SHRINK_ABOVE:
            self._set(min(self._value, fits, num_open * _CUT))
        elif waiting and load.running > 0:  # twice in a row: more than the moment that a prefill waits for
            self._set(min(self._value, load.running))
        elif used and not self._waited and fits > self._value:
            self._set(min(fits, max(self._value + 1.0, self._value * _GROWTH)))

    def completed(self, *, gain_of_doubling: float) -> None:
        """One answer came back from a replica that tells no load: one more, or less, per limit's worth of answers."""
        if gain_of_doubling < _NOT_WORTH:
            self._set(self._value - 1.0 / self._value)
        elif self._peak >= _USED * self.value and gain_of_doubling > _WORTH_DOUBLING:
            before = self.value
            self._set(self._value + 1.0 / self._value)
            if self.value > before:
                self._peak = 0

    def crowded(self, num_open: int) -> None:
        """The replica has turned a request away because it has too many."""
        self._set(min(self._value, max(1, num_open)) * _CROWDED_CUT)

    def _set(self, value: float) -> None:
        self._value = min(max(1.0, value), float(self.most))
