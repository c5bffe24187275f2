"""Whether the files of a model folder are whole, told from their headers alone: before ranks are started for it. Loads
nothing heavy.
"""

import struct
from pathlib import Path
from typing import Any

import orjson

_INDEX = "model.safetensors.index.json"
_ALONE = "model.safetensors"
_LARGEST_HEADER = 2**30  # bytes


def check_model_files(folder: Path, *, vocab_size: int = 0) -> None:
    """Raise ValueError naming a file of weights that is missing, cut or no safetensors file, or a vocabulary that has
    fewer than `vocab_size` tokens, or what `model_class` raises. Weights in other formats are left to transformers.
    """
    model_class(folder)
    known = _json(folder / "config.json").get("vocab_size")
    if isinstance(known, int) and known < vocab_size:
        raise ValueError(f"vocab_size: {known} of model {str(folder)!r} is less than the {vocab_size} of the tokenizer")
    if (folder / _INDEX).is_file():
        placed = _json(folder / _INDEX).get("weight_map")
        if not isinstance(placed, dict) or not placed:
            raise ValueError(f"model: {str(folder / _INDEX)!r} names no weights")
        for name in sorted(set(map(str, placed.values()))):
            tensors = _tensors_of(folder / name)
            lost = [tensor for tensor, place in placed.items() if place == name and tensor not in tensors]
            if lost:
                raise ValueError(f"model: {str(folder / name)!r} holds no {lost[0]!r}, which {_INDEX} names")
    elif (folder / _ALONE).is_file():
        _tensors_of(folder / _ALONE)
    elif not any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors")):
        raise ValueError(f"model: {str(folder)!r} holds no weights: neither {_ALONE} nor {_INDEX}")


def model_class(folder: Path) -> tuple[str, str]:
    """The type of a model, and the name of its class in transformers. Raises ValueError where config.json does not say
    them.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"model: {str(folder)!r} has no config.json")
    config = _json(path)
    kind, names = config.get("model_type"), config.get("architectures")
    if not isinstance(kind, str) or not kind or not isinstance(names, list) or not names:
        raise ValueError(f"model: {str(path)!r} names no model_type or no architectures")
    return kind, str(names[0])


def longest_positions(model_config: Path) -> int | None:
    """`max_position_embeddings` of a config.json, or None where it says none."""
    try:
        found = _json(model_config).get("max_position_embeddings")
    except ValueError:
        return None
    return found if isinstance(found, int) and found > 0 else None


def _tensors_of(path: Path) -> frozenset[str]:
    """Names of a safetensors file's tensors. Raises ValueError where the file is not as long as they need."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size - 8, _LARGEST_HEADER):
                raise ValueError("its header is cut")
            header: dict[str, Any] = orjson.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    except FileNotFoundError:
        raise ValueError(f"model: the file of weights {str(path)!r} is missing") from None
    except (struct.error, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"model: the file of weights {str(path)!r} is damaged: {error}") from None
    needed = 8 + length + max(ends, default=0)
    if size != needed:
        raise ValueError(f"model: the file of weights {str(path)!r} has {size:,} bytes, its tensors need {needed:,}")
    return frozenset(header)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ValueError(f"model: {str(path)!r} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"model: {str(path)!r} holds no keys and values")
    return content
