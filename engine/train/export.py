"""Trained weights as a Hugging Face model folder, written aside and renamed: whole or not there."""

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import torch
from torch import Tensor

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def write_model_folder(
    folder: Path, *, model: Any, weights: dict[str, Tensor], tokenizer: Path, end_token_id: int
) -> None:
    """Write configuration, weights and the tokenizer's files. `model` gives the configuration, not the weights.

    Generation ends at `end_token_id`, which need not be the end that the tokenizer names (base models: end of text).
    """
    from safetensors.torch import save_file

    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tied = set(model._tied_weights_keys or ()) if model.config.tie_word_embeddings else set()
    saved = {name: tensor.contiguous() for name, tensor in weights.items() if name not in tied}
    save_file(saved, str(aside / "model.safetensors"), metadata={"format": "pt"})
    config = model.config.to_diff_dict() | {
        "architectures": [type(model).__name__],
        "dtype": str(next(iter(saved.values())).dtype).removeprefix("torch."),
    }
    _write_json(aside / "config.json", config)
    generation = _read_json(tokenizer / "generation_config.json")
    ends = generation.get("eos_token_id", [])
    others = [end for end in (ends if isinstance(ends, list) else [ends]) if end != end_token_id]
    _write_json(aside / "generation_config.json", generation | {"eos_token_id": [end_token_id, *others]})
    for name in _TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, aside / name)
    (aside / "model.safetensors").chmod((aside / "config.json").stat().st_mode)  # save_file makes it private
    for path in (*aside.iterdir(), aside):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def dtype_of(bf16: bool) -> torch.dtype:
    """Type of weights and activations."""
    return torch.bfloat16 if bf16 else torch.float32


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(path.read_bytes()) if path.is_file() else {}
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
