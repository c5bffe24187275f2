"""Trained weights as a Hugging Face model folder, written aside, read again and renamed: whole or not there."""

import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import torch
from torch import Tensor

from reasonmill.engine.train.digest import Content, content_of

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
_MAX_FILE_BYTES = 5 * 10**9  # of one file of weights, as transformers splits them


def write_model_folder(
    folder: Path, *, model: Any, weights: dict[str, Tensor], tokenizer: Path, end_token_id: int
) -> dict[str, Content]:
    """Write configuration, weights and the tokenizer's files; returns what each file holds. `model` gives the
    configuration, not the weights.

    Generation ends at `end_token_id`, which need not be the end that the tokenizer names (base models: end of text).
    Raises OSError naming a file that does not hold the weights that were written to it.
    """
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    tied = set(model._tied_weights_keys or ()) if model.config.tie_word_embeddings else set()
    saved = {name: tensor.contiguous() for name, tensor in weights.items() if name not in tied}
    config = model.config.to_diff_dict() | {
        "architectures": [type(model).__name__],
        "dtype": str(next(iter(saved.values())).dtype).removeprefix("torch."),
    }
    _write_json(aside / "config.json", config)
    _save_weights(aside, saved, mode=(aside / "config.json").stat().st_mode)
    generation = _read_json(tokenizer / "generation_config.json")
    ends = generation.get("eos_token_id", [])
    others = [end for end in (ends if isinstance(ends, list) else [ends]) if end != end_token_id]
    _write_json(aside / "generation_config.json", generation | {"eos_token_id": [end_token_id, *others]})
    for name in _TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, aside / name)
    for path in (*aside.iterdir(), aside):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    contents = {path.name: content_of(path) for path in sorted(aside.iterdir())}
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return contents


def _save_weights(folder: Path, weights: dict[str, Tensor], *, mode: int) -> None:
    """One file, or several of `_MAX_FILE_BYTES` and an index, in the layout that transformers reads."""
    from safetensors.torch import save_file

    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in weights.items():
        if parts[-1] and size + tensor.nbytes > _MAX_FILE_BYTES:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    several = len(parts) > 1
    names = [
        f"model-{n:05}-of-{len(parts):05}.safetensors" if several else "model.safetensors"
        for n in range(1, len(parts) + 1)
    ]
    for name, part in zip(names, parts, strict=True):
        save_file(part, str(folder / name), metadata={"format": "pt"})
        (folder / name).chmod(mode)  # save_file makes it private
        _check_weights(folder / name, part)
    if several:
        placed = {tensor: name for name, part in zip(names, parts, strict=True) for tensor in part}
        total = sum(tensor.nbytes for tensor in weights.values())
        _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": placed})


def _check_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Raise OSError where the file does not hold these weights, bit for bit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            for name, tensor in weights.items():
                found = file.get_tensor(name)
                if found.dtype != tensor.dtype or found.shape != tensor.shape or not _same_bytes(found, tensor):
                    raise OSError(f"{str(path)!r} does not hold what was written to it: {name} is another")
    except SafetensorError as error:
        raise OSError(f"{str(path)!r} does not hold what was written to it: {error}") from None


def _same_bytes(one: Tensor, other: Tensor) -> bool:
    left, right = (tensor.cpu().reshape(-1).view(torch.uint8) for tensor in (one, other))  # NaNs too
    return bool(torch.equal(left, right))


def dtype_of(bf16: bool) -> torch.dtype:
    """Type of weights and activations."""
    return torch.bfloat16 if bf16 else torch.float32


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(path.read_bytes()) if path.is_file() else {}
    return content


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
