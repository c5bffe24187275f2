"""Kernels of a student's layers, switched on in one place: transformers' own, Liger's, or those of `kernels/`.
Whichever is chosen, loss and gradients are the same up to rounding; the loss kernel is a setting of its own.
"""

from importlib.util import find_spec
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor

from reasonmill.kernels.rms_norm import rms_norm
from reasonmill.kernels.swiglu import swiglu

LayerKernels = Literal["transformers", "liger", "reasonmill"]


def apply_layer_kernels(model: Any, kernels: LayerKernels) -> int:
    """Replace norms and gated feed-forward layers (Liger's: rotary positions too); returns how many were.

    Raises ValueError where Liger is not installed or has no GPU to run on, or knows no such model.
    """
    if kernels == "transformers":
        return 0
    if kernels == "liger":
        return _liger(model)
    replaced = 0
    for module in model.modules():
        if _is_norm(module):
            module.forward = MethodType(_norm, module)
            replaced += 1
        elif _is_gated(module):
            module.forward = MethodType(_gated, module)
            replaced += 1
    return replaced


def _liger(model: Any) -> int:
    if find_spec("liger_kernel") is None:
        raise ValueError("layer_kernels: 'liger', but liger-kernel is not installed (pip install 'reasonmill[cuda]')")
    if not torch.cuda.is_available():
        raise ValueError("layer_kernels: 'liger' needs a GPU: its Triton kernels do not run on a CPU")
    from liger_kernel.transformers import _apply_liger_kernel_to_instance
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    kind = model.config.model_type
    if kind not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise ValueError(f"layer_kernels: 'liger', but Liger knows no model of type {kind!r}")
    # the loss is ours: it skips prompts, and its head is gathered by ZeRO-3
    _apply_liger_kernel_to_instance(model=model, fused_linear_cross_entropy=False, cross_entropy=False)
    return sum(_is_norm(module) or _is_gated(module) for module in model.modules())


def _is_norm(module: Any) -> bool:
    """Whether it computes x / rms(x) * weight in Llama's and Qwen's way (Gemma's adds one to the weight)."""
    return (
        type(module).__name__.endswith("RMSNorm")
        and "Gemma" not in type(module).__name__
        and hasattr(module, "variance_epsilon")
        and getattr(module, "weight", None) is not None
    )


def _is_gated(module: Any) -> bool:
    names = ("gate_proj", "up_proj", "down_proj")
    return all(hasattr(module, name) for name in names) and type(getattr(module, "act_fn", None)).__name__ in (
        "SiLU",
        "SiLUActivation",
    )


def _norm(module: Any, hidden_states: Tensor) -> Tensor:
    return rms_norm(hidden_states, module.weight, module.variance_epsilon)[0]


def _gated(module: Any, x: Tensor) -> Tensor:
    out: Tensor = module.down_proj(swiglu(module.gate_proj(x), module.up_proj(x)))
    return out
