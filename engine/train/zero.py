"""A model under DeepSpeed's ZeRO stage 3: gradients, optimiser state and parameters are partitioned over the ranks. The
only file that imports deepspeed.

On CPUs the ranks talk over gloo, and nothing is compiled: DeepSpeed's shared-memory operator serves its inference
engine alone, so it is declared unavailable instead of being built, for 100 s and with a C++ compiler, at the first run.
"""

import contextlib
import io
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reasonmill.engine.train.batches import MicroBatch
from reasonmill.engine.train.clock import StepClock, time_collectives
from reasonmill.engine.train.digest import Content, HashedFile
from reasonmill.engine.train.settings import TrainSettings


def start_collectives(settings: TrainSettings) -> torch.device:
    """Join the other ranks; returns this rank's device. Set by torchrun: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_*.

    Raises ValueError for an optimizer that cannot work there.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu and settings.optimizer == "deepspeed_cpu_adam" and settings.zero.offload_optimizer == "none":
        raise ValueError("optimizer: 'deepspeed_cpu_adam' works on a CPU: on GPUs it needs zero.offload_optimizer: cpu")
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


def zero_config(settings: TrainSettings, layer_classes: list[str], *, universal: bool = False) -> dict[str, Any]:
    """DeepSpeed's configuration. Clipping is always given: DeepSpeed's own default is 1.0, not none. `universal`: the
    checkpoint to load is in that form.
    """
    zero = settings.zero
    offloaded = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    return {
        "train_micro_batch_size_per_gpu": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "gradient_clipping": settings.max_grad_norm,
        "bf16": {"enabled": settings.bf16},
        # its own default sums up micro-batches in the type of the weights
        "data_types": {"grad_accum_dtype": "fp32" if settings.accumulate_float32 else None},
        "zero_allow_untested_optimizer": True,  # torch's fused AdamW; DeepSpeed's own would be compiled
        "zero_force_ds_cpu_optimizer": False,
        "checkpoint": {"load_universal": universal},
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
            **({"offload_optimizer": offloaded} if zero.offload_optimizer == "cpu" else {}),
            **({"offload_param": offloaded} if zero.offload_param == "cpu" else {}),
        },
        "steps_per_print": 2**62,
    }


class ZeroEngine:
    """One rank's share of the model and its optimiser. Every method is collective: all ranks call it.

    `universal`: the checkpoint that `load` will be given is in that form. `clock` knows where a step's time went.
    """

    def __init__(self, module: nn.Module, settings: TrainSettings, *, universal: bool = False) -> None:
        import deepspeed
        from deepspeed.comm import comm

        self._tag = "universal" if universal else "state"
        config = zero_config(settings, module.layer_classes, universal=universal)
        self._engine, self._optimizer, _, _ = deepspeed.initialize(
            model=module, optimizer=_optimizer(module, settings), config=config
        )
        self._decays = [group["weight_decay"] for group in self._optimizer.param_groups]
        self.clock = StepClock(self._engine.device)
        time_collectives(comm.cdb, self.clock)

    def set_learning_rate(self, rate: float) -> None:
        """Rate of the updates to come."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate

    def micro_step(self, scale: float, batch: MicroBatch) -> Tensor:
        """Run a micro-batch and accumulate the gradient of its loss times `scale`; returns the loss, detached.

        The last micro-batch of a step updates the parameters.
        """
        loss: Tensor = self._engine(*batch.inputs)
        self.clock.lap("forward")
        self._engine.backward(loss * scale)
        self.clock.lap("backward")
        self._engine.step()
        self.clock.lap("optimizer")
        return loss.detach()

    def forward_only(self, *inputs: Any) -> Tensor:
        """The module's output without gradients, as in evaluation (no dropout)."""
        self._engine.eval()
        with torch.no_grad():
            output: Tensor = self._engine(*inputs)
        self._engine.train()
        return output

    def grad_norm(self) -> float:
        """Norm of the last update's gradient before clipping, over all ranks."""
        return float(self._engine.get_global_grad_norm())

    def save(self, folder: Path) -> dict[Path, Content]:
        """Write every rank's share into `folder`, synced; returns what this rank wrote."""
        written: dict[Path, Content] = {}

        def write(state_dict: Any, path: str) -> None:
            with HashedFile(path) as file:
                torch.save(state_dict, file)
            written[Path(path)] = file.content

        self._engine.checkpoint_engine.save = write
        with _without_torch_checksums():
            self._engine.save_checkpoint(str(folder), tag="state", save_latest=False)
        return written

    def load(self, folder: Path) -> None:
        """Take every rank's share from `folder`. Raises ValueError when DeepSpeed finds nothing there."""
        path, _ = self._engine.load_checkpoint(str(folder), tag=self._tag)
        if path is None:
            raise ValueError(f"checkpoint {str(folder)!r} holds no state that DeepSpeed can load")
        # DeepSpeed 0.19 gives every group of the universal form the first one's decay, and all one step counter between
        # them, which each group's update then counts up
        for group, decay in zip(self._optimizer.param_groups, self._decays, strict=True):
            group["weight_decay"] = decay
        for state in self._optimizer.optimizer.state.values():
            if torch.is_tensor(state.get("step")):
                state["step"] = state["step"].clone()

    def whole_weights(self) -> dict[str, Tensor] | None:
        """All parameters of the wrapped model by name, on rank 0; None elsewhere."""
        state: dict[str, Tensor] | None = self._engine._zero3_consolidated_16bit_state_dict()
        if state is None:
            return None
        return {name.removeprefix("model."): tensor for name, tensor in state.items()}


@contextlib.contextmanager
def _without_torch_checksums() -> Iterator[None]:
    """Without a CRC-32 of each tensor, which takes a quarter of the time of a checkpoint and finds less than a digest
    of the file. Time of 200 MB on a memory disk: 1 with it, 1.03 with the digest as well, 0.75 with the digest alone.
    """
    from torch.serialization import get_crc32_options, set_crc32_options

    before = get_crc32_options()
    set_crc32_options(False)
    try:
        yield
    finally:
        set_crc32_options(before)


def _optimizer(module: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    decayed = [p for p in module.parameters() if p.ndim >= 2]
    others = [p for p in module.parameters() if p.ndim < 2]
    groups = (
        [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
        if settings.weight_decay
        else [{"params": decayed + others, "weight_decay": 0.0}]
    )
    groups = [group for group in groups if group["params"]]
    options: dict[str, Any] = {
        "lr": settings.learning_rate,
        "betas": (settings.adam_beta1, settings.adam_beta2),
        "eps": settings.adam_epsilon,
    }
    if settings.optimizer == "deepspeed_cpu_adam":
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        cpu_adam: torch.optim.Optimizer = DeepSpeedCPUAdam(groups, adamw_mode=True, **options)
        return cpu_adam
    return torch.optim.AdamW(groups, fused=True, **options)


def write_universal(state: Path, form: Path) -> None:
    """Write the checkpoint `state`, that of any number of ranks, into the new folder `form` as one for any number."""
    from deepspeed.checkpoint.ds_to_universal import main

    options = Namespace(
        input_folder=str(state),
        output_folder=str(form),
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=False,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars go to standard error: signs of life
        main(options)
    (form.parent / "latest_universal").unlink()
