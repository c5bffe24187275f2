"""Settings of the verifiers, checked once on construction."""

import os
from dataclasses import dataclass

MAX_SLOTS = 256  # a slot's number is the low byte of its user id


@dataclass(frozen=True, kw_only=True)
class SandboxSettings:
    """Limits of one job of untrusted code. Time is CPU time first, so that a busy machine judges like an idle one."""

    slots: int = 0  # sandboxes alive at once; 0: two per core, since many jobs wait for their limit
    cpu_limit_s: float = 6.0  # of one test; LiveCodeBench's limit
    wall_limit_s: float = 24.0  # of one test, against programs that sleep: four times the CPU limit
    memory_mib: int = 1024  # address space of one process, and memory of the whole job where cgroups are writable
    output_mib: int = 4  # of one output, and of any file that a job writes
    scratch_mib: int = 64  # all files of a job together
    max_processes: int = 32  # processes and threads of a job
    compile_cpu_limit_s: float = 30.0  # g++ -O2 with <bits/stdc++.h> takes 1 to 3
    compile_memory_mib: int = 2048  # address space of the compiler

    def __post_init__(self) -> None:
        if not 0 <= self.slots <= MAX_SLOTS:
            raise ValueError(f"sandbox.slots: {self.slots} is outside [0, {MAX_SLOTS}]")
        for name in ("cpu_limit_s", "wall_limit_s", "compile_cpu_limit_s"):
            value = getattr(self, name)
            if not 0.0 < value <= 3600.0:
                raise ValueError(f"sandbox.{name}: {value} is outside (0, 3600]")
        for name, least in (("memory_mib", 64), ("output_mib", 1), ("scratch_mib", 1), ("compile_memory_mib", 256)):
            value = getattr(self, name)
            if not least <= value <= 2**20:
                raise ValueError(f"sandbox.{name}: {value} is outside [{least}, {2**20}]")
        if not 1 <= self.max_processes <= 4096:
            raise ValueError(f"sandbox.max_processes: {self.max_processes} is outside [1, 4096]")

    @property
    def num_slots(self) -> int:
        """Slots with the default worked out for this machine."""
        return self.slots or min(MAX_SLOTS, 2 * usable_cores())


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """How answers are verified (arXiv 2505.14464 section 2.2, arXiv 2504.17565 section 2.4.1)."""

    math_workers: int = 0  # processes that run sympy; 0: one per two cores, it sees a fifth of the answers
    math_limit_s: float = 5.0  # of one comparison, as Math-Verify's own default; such an answer fails
    math_memory_mib: int = 2048  # address space of a worker: nested logarithms grow without bound
    max_answer_chars: int = 2000  # a longer extracted answer is wrong without being parsed
    max_tests: int = 10  # the first so many tests count (arXiv 2504.17565 section 2.4.1)
    max_time_limits: int = 2  # tests over the time limit after which the rest count as failed: 2 of 10 decide already
    cache_size: int = 10_000  # remembered comparisons of (gold, answer); half of all repeat under distillation
    sandbox: SandboxSettings = SandboxSettings()

    def __post_init__(self) -> None:
        if not 0 <= self.math_workers <= 1024:
            raise ValueError(f"math_workers: {self.math_workers} is outside [0, 1024]")
        if not 0.0 < self.math_limit_s <= 3600.0:
            raise ValueError(f"math_limit_s: {self.math_limit_s} is outside (0, 3600]")
        if not 512 <= self.math_memory_mib <= 2**20:
            raise ValueError(f"math_memory_mib: {self.math_memory_mib} is outside [512, {2**20}]")
        for name in ("max_answer_chars", "max_tests", "max_time_limits"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.cache_size < 0:
            raise ValueError(f"cache_size: {self.cache_size} is negative")

    @property
    def num_math_workers(self) -> int:
        """Workers with the default worked out for this machine."""
        return self.math_workers or max(1, usable_cores() // 2)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
