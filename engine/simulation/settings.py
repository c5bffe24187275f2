"""Settings of simulated teachers: what they answer, how fast, and how they fail. Checked once on construction."""

from dataclasses import dataclass
from typing import Literal

LENGTH_PROFILES = ("AM-Thinking-v1", "Qwen3-235B-A22B", "DeepSeek-R1")
PASS_PROFILES = ("DeepSeek-R1", "DeepSeek-R1-Distill-Qwen-7B", "DeepSeek-R1-Distill-Qwen-1.5B")
LONG_CONTEXT = 32_768  # tokens at which the slow figures of SpeedSettings were measured
FULL_BATCH = 32  # open requests at which full_tokens_per_s was measured


@dataclass(frozen=True, kw_only=True)
class SpeedSettings:
    """One replica. Defaults: vLLM with a 32B model on four A100 (arXiv 2505.08311 section 4.3.1), where the model
    between these measurements gives 27.9 tokens/s to each of 16 at 32k; the report has 28.
    """

    short_tokens_per_s: float = 60.0  # of a lone short request
    long_tokens_per_s: float = 50.0  # of a lone request at 32k
    full_tokens_per_s: float = 19.0  # of each of 32 requests at 32k
    request_cost_s: float = 1e-4  # of a step, for each request in the batch apart from its context; not published,
    # chosen so that 256 short requests make 4,200 tokens/s, half of what four H100 do (vLLM 0.15, 32B: 2,078 a GPU)
    prefill_tokens: int = 2048  # prompt tokens of one step (vLLM's max_num_batched_tokens)
    kv_cache_tokens: int = 850_000  # 4 x 80 GB x 0.9, less 64 GB of weights, at 262 kB a token (64 layers, 8 KV heads)
    crowded_at: float = 0.9  # share of the KV cache in use from which a replica is crowded
    crowded_slowdown: float = 1.3  # how much longer a crowded replica takes (same section)

    def __post_init__(self) -> None:
        for name in ("short_tokens_per_s", "long_tokens_per_s", "full_tokens_per_s"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if not self.short_tokens_per_s >= self.long_tokens_per_s >= self.full_tokens_per_s:
            raise ValueError(
                f"full_tokens_per_s {self.full_tokens_per_s} to long_tokens_per_s {self.long_tokens_per_s} to"
                f" short_tokens_per_s {self.short_tokens_per_s} do not ascend"
            )
        if self.prefill_tokens < 1 or self.kv_cache_tokens < 1:
            raise ValueError(
                f"prefill_tokens {self.prefill_tokens} and kv_cache_tokens {self.kv_cache_tokens} must be positive"
            )
        if not 0.0 < self.crowded_at <= 1.0:
            raise ValueError(f"crowded_at: {self.crowded_at} is outside (0, 1]")
        if not self.crowded_slowdown >= 1.0:
            raise ValueError(f"crowded_slowdown: {self.crowded_slowdown} is below 1")
        slope = (1 / self.full_tokens_per_s - 1 / self.long_tokens_per_s) / (FULL_BATCH - 1)
        longer = 1 / self.long_tokens_per_s - 1 / self.short_tokens_per_s
        if not 0.0 <= self.request_cost_s <= min(slope, 1 / self.short_tokens_per_s):
            raise ValueError(f"request_cost_s: {self.request_cost_s} is outside [0, {slope:.3g}], the cost at 32k")
        if longer < slope - self.request_cost_s:
            raise ValueError(
                f"long_tokens_per_s: {self.long_tokens_per_s} makes a lone long context cheaper ({longer:.3g} s a step)"
                f" than one among {FULL_BATCH} ({slope - self.request_cost_s:.3g} s)"
            )


@dataclass(frozen=True, kw_only=True)
class FaultSettings:
    """How often things go wrong. The first four belong to the answer and are the same whoever asks; the others happen
    to a request on its way, and asking again may go well.
    """

    truncation_rate: float = 0.0  # of answers that end in mid-thought
    loop_rate: float = 0.0  # of answers that repeat one phrase until they reach max_tokens
    second_think_rate: float = 0.0  # of answers that begin to think again after the answer
    loop_break_tokens: int | None = None  # in process: tokens of a loop after which it is broken off; None: never
    drop_rate: float = 0.0  # of requests whose connection breaks while the answer streams
    busy_rate: float = 0.0  # of requests refused with 429
    error_rate: float = 0.0  # of requests answered with 500
    malformed_rate: float = 0.0  # of requests answered with what is no JSON
    empty_rate: float = 0.0  # of requests answered with an empty body
    hang_rate: float = 0.0  # of requests that are never answered
    deaths_per_hour: float = 0.0  # of one replica, by its own clock: speed_up makes hours shorter
    down_s: float = 60.0  # until a dead replica is back, by the same clock
    retry_after_s: float = 1.0  # what a refused request is told

    def __post_init__(self) -> None:
        for name in (*ANSWER_FAULTS, *REQUEST_FAULTS):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside [0, 1]")
        for names in (ANSWER_FAULTS, REQUEST_FAULTS):
            if sum(getattr(self, name) for name in names) > 1.0:
                raise ValueError(f"{' + '.join(names)} is above 1")
        if self.loop_break_tokens is not None and self.loop_break_tokens < 1:
            raise ValueError(f"loop_break_tokens: {self.loop_break_tokens} is not positive")
        for name in ("deaths_per_hour", "down_s", "retry_after_s"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: {getattr(self, name)} is not a number from 0 on")


ANSWER_FAULTS = ("truncation_rate", "loop_rate", "second_think_rate")
REQUEST_FAULTS = ("drop_rate", "busy_rate", "error_rate", "malformed_rate", "empty_rate", "hang_rate")


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """One simulated teacher: what it answers is a function of `seed`, the query, the teacher and the request's seed."""

    seed: int = 0  # of the simulated world: difficulties, lengths, right and wrong
    lengths: str = "AM-Thinking-v1"  # whose answers' lengths
    passes: str = "DeepSeek-R1"  # whose pass rates; the other two teachers of arXiv 2505.14464 published none
    pass_rate: float | None = None  # mean in every category, in place of the profile's, with its spread
    pass_spread: float | None = None  # 0: every query is as hard as every other; None: the profile's
    teacher_correlation: float = 0.8  # of a query's difficulty between teachers; not published
    length_correlation: float = 0.7  # of the lengths of one query's answers; not published
    wrong_length_factor: float = 2.0  # wrong over right answers (arXiv 2503.19855 figure 5: 23,400 over 11,700)
    length_scale: float = 1.0  # of all lengths, for smaller worlds
    text_mode: Literal["short", "full"] = "short"  # full: as many words as tokens; short: a line, whatever the tokens
    replicas: int = 1  # that answer for the teacher, each of which runs the teacher's max_num_seqs
    speed_up: float = 1.0  # of all replicas, over the clock
    answers: tuple[str, ...] = ()  # query files with the right answers; simulated queries need none
    speed: SpeedSettings = SpeedSettings()
    faults: FaultSettings = FaultSettings()

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: {self.seed} is outside [0, 2^63)")
        if self.lengths not in LENGTH_PROFILES:
            raise ValueError(f"lengths: {self.lengths!r} is none of {', '.join(LENGTH_PROFILES)}")
        if self.passes not in PASS_PROFILES:
            raise ValueError(f"passes: {self.passes!r} is none of {', '.join(PASS_PROFILES)}")
        if self.text_mode not in ("short", "full"):
            raise ValueError(f"text_mode: {self.text_mode!r} is neither short nor full")
        if self.pass_rate is not None and not 0.0 <= self.pass_rate <= 1.0:
            raise ValueError(f"pass_rate: {self.pass_rate} is outside [0, 1]")
        if self.pass_spread is not None and not 0.0 <= self.pass_spread <= 100.0:
            raise ValueError(f"pass_spread: {self.pass_spread} is outside [0, 100]")
        for name in ("teacher_correlation", "length_correlation"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside [0, 1]")
        for name in ("wrong_length_factor", "length_scale", "speed_up"):
            if not 0.0 < getattr(self, name) <= 1e6:
                raise ValueError(f"{name}: {getattr(self, name)} is outside (0, 1e6]")
        if not 1 <= self.replicas <= 4096:
            raise ValueError(f"replicas: {self.replicas} is outside [1, 4096]")
