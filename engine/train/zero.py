"""A model under DeepSpeed's ZeRO stage 3: gradients, optimiser state and parameters are partitioned over the ranks. The
only file that imports deepspeed.

On CPUs the ranks talk over gloo, and nothing is compiled: DeepSpeed's shared-memory operator serves its inference
engine alone, so it is declared unavailable instead of being built, for 100 s and with a C++ compiler, at the first run.
"""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reasonmill.engine.train.settings import TrainSettings


def start_collectives(settings: TrainSettings) -> torch.device:
    """Join the other ranks; returns this rank's device. Set by torchrun: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_*."""
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
        # DeepSpeed's CPU accelerator counts "devices" with a numactl process each time it is asked, else
        os.environ.setdefault("LOCAL_SIZE", os.environ["LOCAL_WORLD_SIZE"])
    import deepspeed
    import deepspeed.ops

    if not on_gpu:
        deepspeed.ops.__compatible_ops__ = {}
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    deepspeed.init_distributed(dist_backend="nccl" if on_gpu else "gloo", verbose=False)
    return device


def zero_config(settings: TrainSettings, layer_classes: list[str]) -> dict[str, Any]:
    """DeepSpeed's configuration. Clipping is always given: DeepSpeed's own default is 1.0, not none."""
    zero = settings.zero
    return {
        "train_micro_batch_size_per_gpu": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "gradient_clipping": settings.max_grad_norm,
        "bf16": {"enabled": settings.bf16},
        "zero_allow_untested_optimizer": True,  # torch's fused AdamW; DeepSpeed's own would be compiled
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": zero.overlap_comm,
            "contiguous_gradients": True,
            "reduce_bucket_size": zero.reduce_bucket_size,
            "stage3_param_persistence_threshold": zero.stage3_param_persistence_threshold,
            "stage3_max_live_parameters": zero.stage3_max_live_parameters,
            "stage3_max_reuse_distance": zero.stage3_max_reuse_distance,
            "stage3_prefetch_bucket_size": zero.stage3_prefetch_bucket_size,
            "leaf_module": {"classes": layer_classes},  # a layer is gathered at once, not matrix by matrix
            "memory_efficient_linear": False,
        },
        "steps_per_print": 2**62,
    }


class ZeroEngine:
    """One rank's share of the model and its optimiser. Every method is collective: all ranks call it."""

    def __init__(self, module: nn.Module, settings: TrainSettings) -> None:
        import deepspeed

        decayed = [p for p in module.parameters() if p.ndim >= 2]
        others = [p for p in module.parameters() if p.ndim < 2]
        groups = (
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
            if settings.weight_decay
            else [{"params": decayed + others, "weight_decay": 0.0}]
        )
        optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=settings.learning_rate,
            betas=(settings.adam_beta1, settings.adam_beta2),
            eps=settings.adam_epsilon,
            fused=True,
        )
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            model=module, optimizer=optimizer, config=zero_config(settings, module.layer_classes)
        )

    def set_learning_rate(self, rate: float) -> None:
        """Rate of the updates to come."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def micro_step(self, scale: float, *inputs: Any) -> Tensor:
        """Run a micro-batch and accumulate the gradient of its loss times `scale`; returns the loss, detached.

        The last micro-batch of a step updates the parameters.
        """
        loss: Tensor = self._engine(*inputs)
        self._engine.backward(loss * scale)
        self._engine.step()
        return loss.detach()

    def grad_norm(self) -> float:
        """Norm of the last update's gradient before clipping, over all ranks."""
        return float(self._engine.get_global_grad_norm())

    def save(self, folder: Path) -> None:
        """Write every rank's share into `folder`."""
        self._engine.save_checkpoint(str(folder), tag="state", save_latest=False)

    def load(self, folder: Path) -> None:
        """Take every rank's share from `folder`. Raises ValueError when DeepSpeed finds nothing there."""
        path, _ = self._engine.load_checkpoint(str(folder), tag="state")
        if path is None:
            raise ValueError(f"checkpoint {str(folder)!r} holds no state that DeepSpeed can load")

    def whole_weights(self) -> dict[str, Tensor] | None:
        """All parameters of the wrapped model by name, on rank 0; None elsewhere."""
        state: dict[str, Tensor] | None = self._engine._zero3_consolidated_16bit_state_dict()
        if state is None:
            return None
        return {name.removeprefix("model."): tensor for name, tensor in state.items()}
