"""Settings of the trainer, checked once on construction. Names are TRL's; rows take the place of samples."""

import math
from dataclasses import dataclass, field
from typing import Literal

from reasonmill.engine.train.preference_settings import PreferenceSettings


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
    offload_optimizer: Literal["none", "cpu"] = "none"  # where moments and the float32 copy of the weights live
    offload_param: Literal["none", "cpu"] = "none"  # where weights wait that are not in use

    def __post_init__(self) -> None:
        for name in ("offload_optimizer", "offload_param"):
            _check_choice(name, getattr(self, name), ("none", "cpu"))
        if self.offload_param == "cpu" and self.offload_optimizer == "none":
            raise ValueError("offload_param: 'cpu' goes with offload_optimizer: cpu only")
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

    A global batch is num_ranks / sequence_parallel_size x per_device_train_batch_size x gradient_accumulation_steps
    rows (the paper: 64). A training may go on with another number of ranks as long as that product stays the same.
    """

    model: str | ModelShape = field(default_factory=ModelShape)  # a Hugging Face model folder, or a shape from scratch
    learning_rate: float = 8e-5  # peak
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"  # cosine and linear end at zero
    warmup_ratio: float = 0.05  # share of all steps, linear
    num_train_epochs: float = 2.0  # passes over the finished set; does not count when max_steps is given
    max_steps: int | None = None  # optimiser steps; with it training begins before the set is finished
    expected_rows: int | None = (
        None  # rows of a set that still grows; with it num_train_epochs passes begin at once, and
    )
    # the learning rate falls as over so many rows until the first pass ends
    num_ranks: int = 2
    num_nodes: int = 1  # machines that num_ranks are spread over, with one file system; see engine/train/elastic.py
    per_device_train_batch_size: int = 1  # rows of a micro-batch
    gradient_accumulation_steps: int = 1
    loss_weighting: Literal["token", "sample"] = "token"  # what counts alike in a global batch: targets, or samples
    balance_window_rows: int = 1024  # rows of like attention cost share a micro-step within so many; 0: by seed alone
    optimizer: Literal["adamw_torch_fused", "deepspeed_cpu_adam"] = (
        "adamw_torch_fused"  # the latter is compiled at first
    )
    # use, and is the fast one where offload_optimizer is cpu
    weight_decay: float = 0.0  # of matrices; norms and biases are not decayed
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0  # 0: no clipping
    bf16: bool = True  # weights and activations; the optimiser's copy is float32
    accumulate_float32: bool = True  # gradients are summed over micro-batches in float32, not in the weights' type
    gradient_checkpointing: bool = False
    sequence_parallel_size: int = 1  # ranks that share a row (Ulysses); a divisor of num_ranks and of the query heads
    layer_kernels: Literal["transformers", "liger", "reasonmill"] = (
        "transformers"  # norms and gates; liger: rotation too
    )
    fused_loss: bool = True  # the head's logits a chunk of targets at a time; false: those of all targets at once
    save_steps: int = 100  # 0: only when stopped
    save_interval_s: float = 0.0  # a checkpoint is made after so many seconds, too; 0: not by time
    save_total_limit: int = 2
    seed: int = 42
    stall_limit_s: float = 1800.0  # without a step or a word of the ranks, after which the trainer is killed; loading
    # the model and saving a checkpoint must fit in
    threads_per_rank: int = 1  # of torch; more than the free cores collapses the speed
    peak_flops: float | None = (
        None  # of one rank's device, for the utilisation; None: a GPU's data sheet, a CPU measured
    )
    device_memory_gib: float | None = None  # of one rank's device, for the estimate; None: what this machine has
    tensorboard: bool = True  # scalars in train/tensorboard/, beside metrics.jsonl
    zero: ZeroSettings = field(default_factory=ZeroSettings)
    preference: PreferenceSettings | None = None  # DPO or LD-DPO on packed pairs; None: supervised on samples

    def __post_init__(self) -> None:
        for name in (
            *("num_ranks", "per_device_train_batch_size", "gradient_accumulation_steps", "threads_per_rank"),
            *("sequence_parallel_size", "num_nodes", "save_total_limit", "max_steps", "expected_rows"),
            *("learning_rate", "num_train_epochs", "adam_epsilon", "stall_limit_s", "peak_flops", "device_memory_gib"),
        ):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name}: {value} is not positive")
        for name in ("warmup_ratio", "adam_beta1", "adam_beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is outside [0, 1)")
        for name in ("weight_decay", "max_grad_norm", "save_steps", "save_interval_s", "balance_window_rows", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: {getattr(self, name)} is negative or no number")
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name in ("sequence_parallel_size", "num_nodes"):
            if self.num_ranks % getattr(self, name):
                raise ValueError(f"{name}: {getattr(self, name)} does not divide num_ranks {self.num_ranks}")
        if self.expected_rows is not None and self.num_train_epochs < 1.0:
            raise ValueError(
                f"num_train_epochs: {self.num_train_epochs} is less than a pass, and a set that grows has no known part"
            )
        if self.model == "":
            raise ValueError("model: the path is empty")
        if self.preference is not None and self.sequence_parallel_size > 1:
            raise ValueError(f"sequence_parallel_size: {self.sequence_parallel_size}, but a pair stays on one rank")
        if self.preference is not None and self.loss_weighting != "token":
            raise ValueError(f"loss_weighting: {self.loss_weighting!r} is of samples, not of preferences")

    @property
    def rows_per_step(self) -> int:
        """Rows of a global batch."""
        readers = self.num_ranks // self.sequence_parallel_size
        return readers * self.per_device_train_batch_size * self.gradient_accumulation_steps


_CHOICES = {
    "lr_scheduler_type": ("cosine", "linear", "constant"),
    "loss_weighting": ("token", "sample"),
    "optimizer": ("adamw_torch_fused", "deepspeed_cpu_adam"),
    "layer_kernels": ("transformers", "liger", "reasonmill"),
}


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(choices)}")
