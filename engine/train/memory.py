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
        host, states = host + states + (gradient + 4) * own, 0.0  # sums over micro-batches, and a step's gradients
    weights, gradients = size * own, 0.0 if zero.offload_optimizer == "cpu" else gradient * own
    if zero.offload_param == "cpu":
        host, weights = host + weights, 0.0
    tokens = max_length * settings.per_device_train_batch_size / settings.sequence_parallel_size
    items = {
        "weights": weights,
        "gradients": gradients,
        "optimizer": states,
        "gathered weights": _gathered(dimensions, settings) * size,
        "reduction": _reduction(dimensions, settings, on_gpu=on_gpu) * size,
        "activations": _activations(dimensions, settings, tokens) * size,
        "loss": _loss(dimensions, settings, tokens, size, on_gpu=on_gpu),
    }
    if on_gpu:
        items["runtime"] = _RUNTIME
    items["fragments"] = _SLACK * sum(items.values())
    return MemoryEstimate(items={name: round(value) for name, value in items.items()}, host_bytes=round(host))


def _gathered(dimensions: Dimensions, settings: TrainSettings) -> float:
    """Values of whole matrices at once: a layer and what is fetched ahead of it, embedding or head."""
    if settings.num_ranks == 1:
        return 0.0
    zero, layer = settings.zero, dimensions.layer_parameters
    ahead = min(zero.stage3_prefetch_bucket_size + layer, dimensions.body_parameters)
    return float(min(layer + ahead, zero.stage3_max_live_parameters) + dimensions.head_parameters)


def _reduction(dimensions: Dimensions, settings: TrainSettings, *, on_gpu: bool) -> float:
    """Values of DeepSpeed's bucket, which a GPU holds whole (a CPU what was written to it), and of the copy of its
    content that is laid out for the ranks.
    """
    used = min(settings.zero.reduce_bucket_size, dimensions.num_parameters)
    return (settings.zero.reduce_bucket_size if on_gpu else used) + (used if settings.num_ranks > 1 else 0)


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
    """A change of the settings, what they are then, and the bytes that would then be held."""

    setting: str
    settings: TrainSettings
    total: int


def changes(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, on_gpu: bool = True
) -> Iterator[Change]:
    """What would need less, the cheapest in time first."""
    before = estimate(dimensions, settings, max_length=max_length, on_gpu=on_gpu).total
    for setting, changed in _tried(dimensions, settings):
        total = estimate(dimensions, changed, max_length=max_length, on_gpu=on_gpu).total
        if total < before:
            yield Change(setting=setting, settings=changed, total=total)


def _tried(dimensions: Dimensions, settings: TrainSettings) -> Iterator[tuple[str, TrainSettings]]:
    zero = settings.zero
    if not settings.fused_loss:
        yield "fused_loss: true", replace(settings, fused_loss=True)
    if not settings.gradient_checkpointing:
        yield "gradient_checkpointing: true", replace(settings, gradient_checkpointing=True)
    if settings.per_device_train_batch_size > 1:
        yield "per_device_train_batch_size: 1", replace(settings, per_device_train_batch_size=1)
    sizes = range(settings.sequence_parallel_size + 1, 17)
    for size in sizes if settings.preference is None else ():
        if settings.num_ranks % size == 0 and _shares_heads(dimensions, size):
            yield f"sequence_parallel_size: {size}", replace(settings, sequence_parallel_size=size)
    for times in (2, 4):
        yield f"num_ranks: {times * settings.num_ranks}", replace(settings, num_ranks=times * settings.num_ranks)
    if zero.offload_optimizer == "none":
        yield "zero.offload_optimizer: cpu", replace(settings, zero=replace(zero, offload_optimizer="cpu"))
    elif zero.offload_param == "none":
        yield "zero.offload_param: cpu", replace(settings, zero=replace(zero, offload_param="cpu"))


def _shares_heads(dimensions: Dimensions, size: int) -> bool:
    """As engine/train/sequence_parallel.py asks."""
    heads, of_keys = dimensions.num_attention_heads, dimensions.num_key_value_heads
    return heads % size == 0 and (of_keys % size == 0 or size % of_keys == 0)


def together(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, available: int, on_gpu: bool = True
) -> tuple[list[str], Change]:
    """Changes of a training on as many ranks, the cheapest first, until `available` bytes hold it or none is left; and
    the last of them, with all made.
    """
    made: dict[str, str] = {}
    total = estimate(dimensions, settings, max_length=max_length, on_gpu=on_gpu).total
    last = Change(setting="", settings=settings, total=total)
    while last.total > available:
        options = changes(dimensions, last.settings, max_length=max_length, on_gpu=on_gpu)
        change = next((one for one in options if one.settings.num_ranks == settings.num_ranks), None)
        if change is None:
            break
        last = change
        made[change.setting.partition(":")[0]] = change.setting
    return list(made.values()), last


def _rows_kept(settings: TrainSettings, changed: TrainSettings) -> str:
    """What else is to be set for as many rows a step, where that is a whole number."""
    if changed.rows_per_step == settings.rows_per_step:
        return ""
    once = changed.rows_per_step // changed.gradient_accumulation_steps
    steps, rest = divmod(settings.rows_per_step, once)
    return f" and gradient_accumulation_steps: {steps}" if steps and not rest else ""


def verdict(
    dimensions: Dimensions, settings: TrainSettings, *, max_length: int, available: int | None, on_gpu: bool = True
) -> list[str]:
    """Lines for a person: what a rank needs, whether `available` bytes hold it, and what to change where not."""
    found = estimate(dimensions, settings, max_length=max_length, on_gpu=on_gpu)
    parts = ", ".join(f"{name} {_gib(value)}" for name, value in found.items.items() if value >= GIB // 100)
    lines = [f"memory of a rank: about {_gib(found.total)} GiB ({parts or 'each below 0.01'})"]
    if found.host_bytes:
        of_node = found.host_bytes * settings.num_ranks // settings.num_nodes
        lines.append(
            f"memory of its host for what is offloaded: {_gib(found.host_bytes)} GiB, {_gib(of_node)} GiB a node"
        )
    loading = dimensions.num_parameters * (2 if settings.bf16 else 4) * settings.num_ranks // settings.num_nodes
    if on_gpu and loading >= GIB:
        lines.append(f"memory of a node's host while each rank loads the whole student: {_gib(loading)} GiB")
    if available is None:
        return lines
    whole = dimensions.num_parameters * (2 if settings.bf16 else 4) + _RUNTIME
    if on_gpu and whole > available:  # deepspeed.initialize moves the module there before it partitions it
        return [
            *lines,
            f"does not fit into {_gib(available)} GiB at the start: each GPU holds the whole student before it is"
            f" shared out, {_gib(whole)} GiB",
        ]
    if found.total <= available:
        return [*lines, f"fits into {_gib(available)} GiB"]
    lines.append(f"does not fit into {_gib(available)} GiB: {_gib(found.total - available)} GiB too many")
    options = list(changes(dimensions, settings, max_length=max_length, on_gpu=on_gpu))
    lines += [
        f"with {change.setting}{_rows_kept(settings, change.settings)}: {_gib(change.total)} GiB,"
        f" {_margin(change.total, available)}"
        for change in options
    ]
    if options and all(change.total > available for change in options):
        made, last = together(dimensions, settings, max_length=max_length, available=available, on_gpu=on_gpu)
        how = "together" if last.total <= available else "all of them together do not fit"
        kept = _rows_kept(settings, last.settings)
        lines.append(f"{how}: {', '.join(made)}{kept}: {_gib(last.total)} GiB, {_margin(last.total, available)}")
    return lines


def _margin(total: int, available: int) -> str:
    if total <= available:
        return f"fits with {_gib(available - total)} GiB to spare"
    return f"{_gib(total - available)} GiB too many"


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}" if size < 10 * GIB else f"{size / GIB:,.0f}"
