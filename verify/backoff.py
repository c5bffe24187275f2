"""When to ask an HTTP service again: jittered, doubling pauses, the server's own Retry-After where it gives one, and
an end. Shared by every client of an endpoint.
"""

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How often and how patiently a request is repeated."""

    max_tries: int = 6  # the first one included
    first_pause_s: float = 0.5  # doubles with each failure
    longest_pause_s: float = 30.0  # also for a Retry-After that asks for more

    def __post_init__(self) -> None:
        if self.max_tries < 1:
            raise ValueError(f"max_tries: {self.max_tries} is not positive")
        if not 0.0 <= self.first_pause_s <= self.longest_pause_s:
            raise ValueError(
                f"first_pause_s: {self.first_pause_s} is outside [0, longest_pause_s = {self.longest_pause_s}]"
            )

    def pause_s(self, failures: int, *, draw: float, asked_s: float | None = None) -> float | None:
        """Seconds to wait after the `failures`-th failure in a row, None when it is time to give up.

        `draw` in [0, 1) spreads clients that failed together over the upper half of the pause; `asked_s` is what the
        server asked for, which is waited in full (up to longest_pause_s) and spread above.
        """
        if failures >= self.max_tries:
            return None
        pause = min(self.first_pause_s * 2.0 ** min(failures - 1, 60), self.longest_pause_s)
        spread = pause * (0.5 + 0.5 * draw)
        return spread if asked_s is None else max(spread, min(asked_s, self.longest_pause_s) + 0.1 * pause * draw)


def worth_repeating(status: int) -> bool:
    """Whether a response of this HTTP status may turn out well when the request is repeated."""
    return status in _PASSING_STATUSES


def retry_after_s(header: str | None, *, now: float) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date (RFC 9110 section 10.2.3); None where there is
    none or it cannot be read. `now` is the time since the epoch.
    """
    if not header:
        return None
    try:
        seconds = float(header)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, TypeError):
        return None
