"""Mean negative log-likelihood over the targets of a global batch, exact however they are spread over ranks and
micro-batches: every target of the step counts the same, and a rank without targets adds nothing.

The model and the loss are one module, so that ZeRO-3 sees every use of the head's weights inside one forward pass.
"""

from typing import Any

import torch
from torch import Tensor, nn

IGNORED = -100  # label of a position that is no target


class StudentLoss(nn.Module):  # type: ignore[misc]
    """Sum of the negative log-likelihood over a micro-batch's targets, in float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model
        # Full class names of the transformer layers, each of which ZeRO-3 gathers as one.
        names = set(getattr(model, "_no_split_modules", None) or ())
        self.layer_classes = sorted(
            {f"{type(m).__module__}.{type(m).__qualname__}" for m in model.modules() if type(m).__name__ in names}
        )

    def forward(self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, documents: Any) -> Tensor:
        """`input_ids`, `position_ids`, `labels` int64[1, N], labels already shifted; `documents`: see attention.py.

        Only the supervised positions reach the head. No attention mask is given: documents are kept apart by
        `documents` (an all-ones mask would join them in transformers).
        """
        hidden = self.model.model(
            input_ids=input_ids, position_ids=position_ids, use_cache=False, documents=documents
        ).last_hidden_state
        chosen = labels != IGNORED
        logits = self.model.lm_head(hidden[chosen]).float()
        return torch.nn.functional.cross_entropy(logits, labels[chosen], reduction="sum")


def loss_scale(num_targets: int, world_size: int, accumulation: int) -> float:
    """Factor for a micro-batch's summed loss. DeepSpeed averages over ranks and micro-batches; this undoes it."""
    return world_size * accumulation / max(1, num_targets)
