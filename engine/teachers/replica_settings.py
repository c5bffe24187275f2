"""How requests are spread over replicas, checked once on construction."""

from dataclasses import dataclass, field

from reasonmill.verify.backoff import RetryPolicy


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceSettings:
    """How many requests a replica is given, and what happens when it fails."""

    initial_num_seqs: int = 32  # requests that a replica is given at first; its load or its speed moves it from there
    poll_s: float = 1.0  # between two looks at a replica's load
    outage_limit_s: float = 3600.0  # without any replica, after which the teacher is lost
    probe_limit_s: float = 20.0  # for a replica to tell its load
    max_faults_in_row: int = 3  # of a replica that can be reached, before it is set aside
    # pauses of a replica that was set aside, without end; pauses and tries of a request that meets errors
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(max_tries=4))

    def __post_init__(self) -> None:
        for name in ("initial_num_seqs", "max_faults_in_row"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name in ("poll_s", "outage_limit_s", "probe_limit_s"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
