"""Settings of the trainer, checked once on construction. Names are TRL's; rows take the place of samples."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """A Qwen3 model to be trained from scratch, in the names of its Hugging Face configuration."""

    hidden_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 32
    intermediate_size: int = 384
    vocab_size: int | None = None  # None: as many as the tokenizer has
    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = True
    initializer_range: float = 0.02  # standard deviation of the untrained weights

    def __post_init__(self) -> None:
        for name in (
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "intermediate_size",
            "max_position_embeddings",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_key_value_heads: {self.num_key_value_heads} does not divide "
                f"num_attention_heads {self.num_attention_heads}"
            )
        if not self.initializer_range > 0.0:
            raise ValueError(f"initializer_range: {self.initializer_range} is not positive")
        if self.head_dim % 2:
            raise ValueError(f"head_dim: {self.head_dim} is odd, rotary positions need an even one")


@dataclass(frozen=True, kw_only=True)
class ZeroSettings:
    """Thresholds of DeepSpeed's ZeRO stage 3, in elements; names are DeepSpeed's."""

    stage3_param_persistence_threshold: int = 100_000  # parameters smaller than this are kept whole on every rank
    stage3_max_live_parameters: int = 1_000_000_000
    stage3_max_reuse_distance: int = 1_000_000_000
    stage3_prefetch_bucket_size: int = 50_000_000
    reduce_bucket_size: int = 500_000_000
    overlap_comm: bool = False  # on GPUs: true

    def __post_init__(self) -> None:
        for name in (
            "stage3_param_persistence_threshold",
            "stage3_max_live_parameters",
            "stage3_max_reuse_distance",
            "stage3_prefetch_bucket_size",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} is negative")
        if self.reduce_bucket_size < 1:
            raise ValueError(f"reduce_bucket_size: {self.reduce_bucket_size} is not positive")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How the student learns. Defaults are those of arXiv 2505.14464 section 3.1 where it gives one.

    A global batch is num_ranks x per_device_train_batch_size x gradient_accumulation_steps rows (the paper: 64).
    """

    model: str | ModelShape = field(default_factory=ModelShape)  # a Hugging Face model folder, or a shape from scratch
    learning_rate: float = 8e-5  # peak
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"  # cosine and linear end at zero
    warmup_ratio: float = 0.05  # share of all steps, linear
    num_train_epochs: float = 2.0  # passes over the finished set; does not count when max_steps is given
    max_steps: int | None = None  # optimiser steps; needed for training to begin before the set is finished
    num_ranks: int = 2
    per_device_train_batch_size: int = 1  # rows of a micro-batch
    gradient_accumulation_steps: int = 1
    weight_decay: float = 0.0  # of matrices; norms and biases are not decayed
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0  # 0: no clipping
    bf16: bool = True  # weights and activations; the optimiser's copy is float32
    gradient_checkpointing: bool = False
    fused_loss: bool = True  # the head's logits a chunk of targets at a time; false: those of all targets at once
    save_steps: int = 100  # 0: only when stopped
    save_total_limit: int = 2
    seed: int = 42
    stall_limit_s: float = 1800.0  # without a step or a word of the ranks, after which the trainer is killed; loading
    # the model and saving a checkpoint must fit in
    threads_per_rank: int = 1  # of torch; more than the free cores collapses the speed
    zero: ZeroSettings = field(default_factory=ZeroSettings)

    def __post_init__(self) -> None:
        for name in ("num_ranks", "per_device_train_batch_size", "gradient_accumulation_steps", "threads_per_rank"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name in ("learning_rate", "num_train_epochs", "adam_epsilon", "stall_limit_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        for name in ("warmup_ratio", "adam_beta1", "adam_beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside [0, 1)")
        for name in ("weight_decay", "max_grad_norm", "save_steps"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: {getattr(self, name)} is negative")
        if self.save_total_limit < 1:
            raise ValueError(f"save_total_limit: {self.save_total_limit} is not positive")
        if self.max_steps is not None and self.max_steps < 1:
            raise ValueError(f"max_steps: {self.max_steps} is not positive")
        if self.model == "":
            raise ValueError("model: the path is empty")

    @property
    def rows_per_step(self) -> int:
        """Rows of a global batch."""
        return self.num_ranks * self.per_device_train_batch_size * self.gradient_accumulation_steps
