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
class JudgeSettings:
    """A judge model behind an OpenAI-compatible endpoint (arXiv 2505.14464 section 2.2 uses Qwen2.5-7B-Instruct)."""

    base_url: str  # up to and with /v1
    model: str  # name that the endpoint serves it by
    api_key_env: str = "OPENAI_API_KEY"  # environment variable with the key; none is sent where it is not set
    max_concurrency: int = 32  # requests open at once; the server batches them
    timeout_s: float = 120.0  # of one request
    max_tries: int = 6  # of one request, the first one included
    first_pause_s: float = 0.5  # before the first repetition; doubles, see backoff.py
    temperature: float = 0.0  # the same question gets the same reply
    max_tokens: int = 1024  # of a reply: a few sentences and the verdict
    cache_size: int = 10_000  # replies remembered in memory
    cache_path: str = ""  # file of replies that outlives the process; none when empty

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"judge.base_url: {self.base_url!r} does not start with http:// or https://")
        if not self.model:
            raise ValueError("judge.model is empty")
        for name in ("max_concurrency", "max_tries", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"judge.{name}: {getattr(self, name)} is not positive")
        if not 0.0 < self.timeout_s <= 3600.0:
            raise ValueError(f"judge.timeout_s: {self.timeout_s} is outside (0, 3600]")
        if not 0.0 <= self.first_pause_s <= 30.0:
            raise ValueError(f"judge.first_pause_s: {self.first_pause_s} is outside [0, 30]")
        if not 0.0 <= self.temperature <= 2.0:
            raise ValueError(f"judge.temperature: {self.temperature} is outside [0, 2]")
        if self.cache_size < 0:
            raise ValueError(f"judge.cache_size: {self.cache_size} is negative")


@dataclass(frozen=True, kw_only=True)
class InstructionSettings:
    """How constraints on responses are checked (arXiv 2505.14464 section 2.2)."""

    workers: int = 0  # processes that run the checkers; 0: one per two cores
    limit_s: float = 10.0  # of one response with all its constraints; a usual one takes 5 ms
    memory_mib: int = 1024  # address space of a worker; it starts with 110
    recycle_mib: int = 400  # resident memory after a response over which a worker is replaced
    loose: bool = False  # a response also meets a constraint without asterisks, or its first or last line
    supplement: JudgeSettings | None = None  # names the constraints of questions without any; none: they are not run
    all_must_pass: bool = False  # score 1 if all constraints are met, else 0; else the share that is

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 1024:
            raise ValueError(f"instructions.workers: {self.workers} is outside [0, 1024]")
        if not 0.0 < self.limit_s <= 3600.0:
            raise ValueError(f"instructions.limit_s: {self.limit_s} is outside (0, 3600]")
        if not 512 <= self.memory_mib <= 2**20:
            raise ValueError(f"instructions.memory_mib: {self.memory_mib} is outside [512, {2**20}]")
        if self.recycle_mib < 1:
            raise ValueError(f"instructions.recycle_mib: {self.recycle_mib} is not positive")

    @property
    def num_workers(self) -> int:
        """Workers with the default worked out for this machine."""
        return self.workers or max(1, usable_cores() // 2)


@dataclass(frozen=True, kw_only=True)
class PuzzleSettings:
    """How answers to puzzles are scored (arXiv 2505.24760)."""

    workers: int = 0  # processes that run the scorers; 0: one per two cores
    limit_s: float = 10.0  # of one answer; most take less than 1 ms
    memory_mib: int = 2048  # address space of a worker
    recycle_mib: int = 800  # resident memory after an answer over which a worker is replaced

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 1024:
            raise ValueError(f"puzzles.workers: {self.workers} is outside [0, 1024]")
        if not 0.0 < self.limit_s <= 3600.0:
            raise ValueError(f"puzzles.limit_s: {self.limit_s} is outside (0, 3600]")
        if not 1024 <= self.memory_mib <= 2**20:
            raise ValueError(f"puzzles.memory_mib: {self.memory_mib} is outside [1024, {2**20}]")
        if self.recycle_mib < 1:
            raise ValueError(f"puzzles.recycle_mib: {self.recycle_mib} is not positive")

    @property
    def num_workers(self) -> int:
        """Workers with the default worked out for this machine."""
        return self.workers or max(1, usable_cores() // 2)


@dataclass(frozen=True, kw_only=True)
class RewardSettings:
    """What rates answers without a reference: a reward model here, or a model behind an endpoint (arXiv 2505.14464
    section 2.2 uses Decision-Tree-Reward-Llama-3.1-8B).
    """

    model: str = ""  # folder or name of a transformers sequence classifier
    endpoint: JudgeSettings | None = None  # instead of a model: it is asked for the three attributes
    labels: str = ""  # the model's outputs in order, separated by commas; empty: as its configuration names them
    device: str = ""  # such as cuda:1 or cpu; empty: cuda where there is one
    batch_size: int = 16  # answers rated together
    max_tokens: int = 16384  # of question and answer; a longer pair is not rated
    limit_s: float = 300.0  # of one batch
    start_s: float = 900.0  # of loading the model
    trust_remote_code: bool = False  # whether the model's folder may bring Python of its own

    def __post_init__(self) -> None:
        if bool(self.model) == (self.endpoint is not None):
            raise ValueError(f"reward.model: {self.model!r}: name either a model or an endpoint")
        for name in ("batch_size", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"reward.{name}: {getattr(self, name)} is not positive")
        for name in ("limit_s", "start_s"):
            if not 0.0 < getattr(self, name) <= 86400.0:
                raise ValueError(f"reward.{name}: {getattr(self, name)} is outside (0, 86400]")


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """How answers are verified (arXiv 2505.14464 section 2.2, arXiv 2504.17565 section 2.4.1)."""

    math_workers: int = 0  # processes that run sympy; 0: one per two cores, it sees a fifth of the answers
    math_limit_s: float = 5.0  # of one comparison, as Math-Verify's own default; what fails is in verify/math_pool.py
    math_memory_mib: int = 640  # address space of a worker; sympy takes 65, nested logarithms grow without bound
    math_recycle_after: int = 5000  # comparisons after which a worker is replaced: sympy's caches never shrink
    math_recycle_mib: int = 400  # resident memory after a comparison over which a worker is replaced
    max_answer_chars: int = 2000  # a longer extracted answer is wrong without being parsed
    max_tests: int = 10  # the first so many tests count (arXiv 2504.17565 section 2.4.1)
    max_time_limits: int = 2  # tests over the time limit after which the rest count as failed: 2 of 10 decide already
    cache_size: int = 10_000  # remembered comparisons of (gold, answer); half of all repeat under distillation
    science_tolerance: float = 0.01  # relative, of measured numbers in science; whole numbers are exact
    judge: JudgeSettings | None = None  # second stage of math and science; none: the rules decide alone
    sandbox: SandboxSettings = SandboxSettings()
    instructions: InstructionSettings = InstructionSettings()
    puzzles: PuzzleSettings = PuzzleSettings()
    reward: RewardSettings | None = None  # of multiturn, and of other without a ground truth; none: they are not run

    def __post_init__(self) -> None:
        if not 0 <= self.math_workers <= 1024:
            raise ValueError(f"math_workers: {self.math_workers} is outside [0, 1024]")
        if not 0.0 < self.math_limit_s <= 3600.0:
            raise ValueError(f"math_limit_s: {self.math_limit_s} is outside (0, 3600]")
        if not 256 <= self.math_memory_mib <= 2**20:
            raise ValueError(f"math_memory_mib: {self.math_memory_mib} is outside [256, {2**20}]")
        for name in ("max_answer_chars", "max_tests", "max_time_limits", "math_recycle_after", "math_recycle_mib"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.cache_size < 0:
            raise ValueError(f"cache_size: {self.cache_size} is negative")
        if not 0.0 <= self.science_tolerance < 1.0:
            raise ValueError(f"science_tolerance: {self.science_tolerance} is outside [0, 1)")

    @property
    def num_math_workers(self) -> int:
        """Workers with the default worked out for this machine."""
        return self.math_workers or max(1, usable_cores() // 2)


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))
