"""The student: a Hugging Face causal model from a folder, or of a given shape. The only file that imports transformers.

The same seed gives the same untrained weights.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from reasonmill.engine.train.model_files import check_model_files, model_class
from reasonmill.engine.train.sequence_parallel import attend
from reasonmill.engine.train.settings import ModelShape
from reasonmill.kernels import attention

# transformers imports these when they are installed and needs none of them for a causal language model:
# without them a rank starts 1.2 CPU seconds sooner, and a torchvision that does not fit torch cannot stop it.
_NOT_NEEDED = ("sklearn", "scipy", "pandas", "torchvision", "torchaudio", "torchcodec", "librosa")


def build_model(model: str | ModelShape, *, vocab_size: int, seed: int, dtype: torch.dtype) -> Any:
    """A model with packed attention. Raises ValueError for a folder that holds no causal model of transformers."""
    with _without(_NOT_NEEDED):
        from transformers import AttentionInterface

        AttentionInterface.register(attention.NAME, attend)
        if isinstance(model, str):
            return _from_folder(Path(model), vocab_size, dtype)
        return _from_shape(model, vocab_size, seed, dtype)


def _from_shape(shape: ModelShape, vocab_size: int, seed: int, dtype: torch.dtype) -> Any:
    from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
    from transformers.models.qwen3.modeling_qwen3 import Qwen3ForCausalLM

    if shape.vocab_size is not None and shape.vocab_size < vocab_size:
        raise ValueError(f"vocab_size: {shape.vocab_size} is less than the {vocab_size} of the tokenizer")
    config = Qwen3Config(
        vocab_size=shape.vocab_size or vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        num_key_value_heads=shape.num_key_value_heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=shape.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=shape.tie_word_embeddings,
        initializer_range=shape.initializer_range,
        attn_implementation=attention.NAME,
    )
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(config).to(dtype)


def _from_folder(folder: Path, vocab_size: int, dtype: torch.dtype) -> Any:
    kind, name = model_class(folder)
    try:
        cls = getattr(import_module(f"transformers.models.{kind}.modeling_{kind}"), name)
    except (ModuleNotFoundError, AttributeError):
        told = f"model: {str(folder / 'config.json')!r}: transformers has no {name} of type {kind!r}"
        raise ValueError(told) from None
    check_model_files(folder, vocab_size=vocab_size)
    try:
        model, found = cls.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention.NAME,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # told below, by name
            output_loading_info=True,
        )
    except OSError as error:
        raise ValueError(f"model: {str(folder)!r} cannot be loaded: {error}") from None
    _check_loaded(folder, found)
    return model


def _check_loaded(folder: Path, found: dict[str, Any]) -> None:
    """Raise ValueError for weights that the folder does not hold: transformers draws them at random, with a warning."""
    lost = sorted(found["missing_keys"])
    if lost:
        raise ValueError(f"model: {str(folder)!r} holds no weights for {lost[0]!r} ({len(lost)} are missing)")
    other = sorted(found["mismatched_keys"])
    if other:
        name, *shapes = other[0]
        told = " and ".join(str(tuple(shape)) for shape in shapes)
        raise ValueError(
            f"model: {str(folder)!r}: {name!r} has one shape in the weights, another by config.json: {told}"
        )


@contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Modules not yet imported that look absent meanwhile; none where transformers has looked around before."""
    hidden = [] if "transformers" in sys.modules else [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
