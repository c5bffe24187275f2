"""What a rank will hold at its peak, item by item, before anything is built; whether that fits, and what to change.

An upper estimate of the allocator's peak under ZeRO-3, arithmetic alone: what is not known beforehand (attention's
workspace, fragments of the allocator) is an item of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reasonmill.engine.train.dimensions import Dimensions
from reasonmill.engine.train.settings import TrainSettings

GIB = 2**30
_LOGITS_CPU, _LOGITS_GPU = 32 * 2**20, 2**30  # kernels/linear_cross_entropy.py
_SLACK = 0.08  # of the rest: fragments; torchtune and DeepSpeed users report 5 to 10 %
_RUNTIME = 2 * GIB  # CUDA context, NCCL's and cuBLAS's buffers
# Values a token and layer that backward needs without recomputation, in units of its hidden size: inputs of both norms,
# of both blocks and their outputs; those of attention and of the feed-forward layer are counted by their widths.
_HIDDEN_KEPT = 6


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Bytes of each item on the device of one rank; `host_bytes` on its host, where something is offloaded."""

    items: dict[str, int]
    host_bytes: int = 0

    @property
    def total(self) -> int:
        """Bytes on the device."""
        return sum(self.items.values())


def estimate(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, on_gpu: bool = True
) -> MemoryEstimate:
    """Of a rank that trains rows of `max_length` tokens."""
    size = 2 if settings.bf16 else 4
    gradient = 4 if settings.accumulate_float32 else size
    own = dimensions.num_parameters / settings.num_ranks
    states = (8 if not settings.bf16 else 12) * own  # float32 moments; bfloat16 trains with a float32 copy
    host = 0.0
    zero = settings.zero
    if zero.offload_optimizer == "cpu":
        host, states = host + states + gradient * own, 0.0
    weights, gradients = size * own, 0.0 if zero.offload_optimizer == "cpu" else gradient * own
    if zero.offload_param == "cpu":
        host, weights = host + weights, 0.0
    tokens = max_length * settings.per_device_train_batch_size / settings.sequence_parallel_size
    items = {
        "weights": weights,
        "gradients": gradients,
        "optimizer": states,
        "gathered weights": _gathered(dimensions, settings) * size,
        "activations": _activations(dimensions, settings, tokens) * size,
        "loss": _loss(dimensions, settings, tokens, size, on_gpu=on_gpu),
    }
    if on_gpu:
        items["runtime"] = _RUNTIME
    items["fragments"] = _SLACK * sum(items.values())
    return MemoryEstimate(items={name: round(value) for name, value in items.items()}, host_bytes=round(host))


def _gathered(dimensions: Dimensions, settings: TrainSettings) -> float:
    """Values of whole matrices at once: a layer and what is fetched ahead of it, embedding or head, what is reduced."""
    if settings.num_ranks == 1:
        return 0.0
    zero, layer = settings.zero, dimensions.layer_parameters
    ahead = min(zero.stage3_prefetch_bucket_size + layer, dimensions.body_parameters)
    bucket = min(zero.reduce_bucket_size, dimensions.num_parameters)
    return float(min(layer + ahead, zero.stage3_max_live_parameters) + dimensions.head_parameters + bucket)


def _activations(dimensions: Dimensions, settings: TrainSettings, tokens: float) -> float:
    """Values that backward needs: of all layers, or each layer's input and all of one."""
    keys = 2 * dimensions.num_key_value_heads * dimensions.head_dim
    layer = _HIDDEN_KEPT * dimensions.hidden_size + 3 * dimensions.attention_width + keys
    layer += 4 * dimensions.intermediate_size  # gate, up, silu of the gate, their product
    if not settings.gradient_checkpointing:
        return tokens * dimensions.num_hidden_layers * layer
    # one layer's values are made again, and their gradients beside them
    return tokens * (dimensions.num_hidden_layers * dimensions.hidden_size + 2 * layer)


def _loss(dimensions: Dimensions, settings: TrainSettings, tokens: float, size: int, *, on_gpu: bool) -> float:
    """Bytes: logits, wide and in their own type, and the head's gradient; every token may be a target."""
    logits = tokens * dimensions.vocab_size * size
    if not settings.fused_loss:
        return 2 * logits + 4 * tokens * dimensions.vocab_size
    chunk = min(logits, _LOGITS_GPU if on_gpu else _LOGITS_CPU)
    return chunk * (1 if on_gpu else 1 + 4 / size) + (4 + size) * dimensions.head_parameters


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of the settings, and the bytes that would then be held."""

    setting: str
    total: int


def changes(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, on_gpu: bool = True
) -> Iterator[Change]:
    """What would need less, the cheapest in time first."""
    zero = settings.zero
    tried: list[tuple[str, TrainSettings]] = []
    if not settings.fused_loss:
        tried.append(("fused_loss: true", replace(settings, fused_loss=True)))
    if not settings.gradient_checkpointing:
        tried.append(("gradient_checkpointing: true", replace(settings, gradient_checkpointing=True)))
    if settings.per_device_train_batch_size > 1:
        tried.append(("per_device_train_batch_size: 1", replace(settings, per_device_train_batch_size=1)))
    heads = dimensions.num_attention_heads
    sizes = [
        size
        for size in (2, 4, 8, 16)
        if size > settings.sequence_parallel_size and settings.num_ranks % size == 0 and heads % size == 0
    ]
    tried += [(f"sequence_parallel_size: {size}", replace(settings, sequence_parallel_size=size)) for size in sizes]
    tried += [
        (f"num_ranks: {count}", replace(settings, num_ranks=count))
        for count in (settings.num_ranks * 2, settings.num_ranks * 4)
    ]
    if zero.offload_optimizer == "none":
        tried.append(("zero.offload_optimizer: cpu", replace(settings, zero=replace(zero, offload_optimizer="cpu"))))
    before = estimate(dimensions, settings, max_length=max_length, on_gpu=on_gpu).total
    for setting, changed in tried:
        total = estimate(dimensions, changed, max_length=max_length, on_gpu=on_gpu).total
        if total < before:
            yield Change(setting=setting, total=total)


def verdict(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, available: int | None, on_gpu: bool = True
) -> list[str]:
    """Lines for a person: what a rank needs, whether `available` bytes hold it, and what to change where not."""
    found = estimate(dimensions, settings, max_length=max_length, on_gpu=on_gpu)
    parts = ", ".join(f"{name} {_gib(value)}" for name, value in found.items.items() if value >= GIB // 100)
    lines = [f"memory of a rank: about {_gib(found.total)} GiB ({parts or 'each below 0.01'})"]
    if found.host_bytes:
        lines.append(f"memory of its host for what is offloaded: {_gib(found.host_bytes)} GiB")
    loading = dimensions.num_parameters * (2 if settings.bf16 else 4) * settings.num_ranks // settings.num_nodes
    if on_gpu and loading >= GIB:
        lines.append(f"memory of a node's host while each rank loads the whole student: {_gib(loading)} GiB")
    if available is None:
        return lines
    if found.total <= available:
        return [*lines, f"fits into {_gib(available)} GiB"]
    lines.append(f"does not fit into {_gib(available)} GiB")
    options = list(changes(dimensions, settings, max_length=max_length, on_gpu=on_gpu))
    for change in options:
        fits = "fits" if change.total <= available else "alone does not fit"
        lines.append(f"with {change.setting}: {_gib(change.total)} GiB, {fits}")
    return lines


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}" if size < 10 * GIB else f"{size / GIB:,.0f}"
