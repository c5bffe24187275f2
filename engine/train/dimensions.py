"""Sizes of a student before it is built: from a shape, or from a model folder's config.json. Loads nothing heavy."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.train.settings import ModelShape
from reasonmill.packing.balance import RowCost

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """Of a decoder with gated feed-forward layers, in the names of a Hugging Face configuration."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    tie_word_embeddings: bool

    @property
    def attention_width(self) -> int:
        """Query heads times head size."""
        return self.num_attention_heads * self.head_dim

    @property
    def layer_parameters(self) -> int:
        """Of one layer's matrices; norms and biases are a ten-thousandth and left out."""
        projections = 2 * self.attention_width + 2 * self.num_key_value_heads * self.head_dim
        return self.hidden_size * (projections + 3 * self.intermediate_size)

    @property
    def head_parameters(self) -> int:
        """Of the head, or of the embedding that it shares."""
        return self.vocab_size * self.hidden_size

    @property
    def body_parameters(self) -> int:
        """Of all layers."""
        return self.num_hidden_layers * self.layer_parameters

    @property
    def num_parameters(self) -> int:
        """Layers, embedding and, where it is untied, head."""
        return self.body_parameters + self.head_parameters * (1 if self.tie_word_embeddings else 2)

    @property
    def row_cost(self) -> RowCost:
        """What a row of documents costs in a step."""
        return RowCost.of_transformer(
            num_parameters=self.body_parameters + self.head_parameters,
            num_layers=self.num_hidden_layers,
            attention_width=self.attention_width,
        )

    def step_flops(self, num_tokens: int, squares: int, num_targets: int) -> float:
        """Of forward and backward without recomputation: 6 a token and parameter of the layers, 6 a target and
        parameter of the head, and causal attention of each document to itself, `squares` being the sum of their squared
        lengths.
        """
        attention = self.num_hidden_layers * self.attention_width * squares
        return 6.0 * (self.body_parameters * num_tokens + self.head_parameters * num_targets + attention)


def dimensions_of(model: str | ModelShape, *, vocab_size: int = 0) -> Dimensions | None:
    """None for a folder whose configuration does not say them all, and for mixtures of experts. `vocab_size` is the
    tokenizer's, for a shape that leaves it to it.
    """
    if isinstance(model, ModelShape):
        names = Dimensions.__dataclass_fields__
        known = {name: getattr(model, name) for name in names}
        return Dimensions(**{**known, "vocab_size": model.vocab_size or vocab_size})
    path = Path(model) / "config.json"
    if not path.is_file():
        return None
    try:
        return _of_configuration(orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _of_configuration(config: dict[str, Any]) -> Dimensions | None:
    if any(config.get(name) for name in _EXPERTS):
        return None
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    return Dimensions(
        hidden_size=hidden,
        num_hidden_layers=int(config["num_hidden_layers"]),
        num_attention_heads=heads,
        num_key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate_size=int(config["intermediate_size"]),
        vocab_size=int(config["vocab_size"]),
        tie_word_embeddings=bool(config.get("tie_word_embeddings", False)),
    )
