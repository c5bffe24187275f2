"""Mean negative log-likelihood over the targets of a global batch, exact however they are spread over ranks and
micro-batches: every target of the step counts the same (or every sample), and a rank without targets adds nothing.

The model and the loss are one module, so that ZeRO-3 sees every use of the head's weights inside one forward pass.
"""

from typing import Any

from torch import Tensor, nn

from reasonmill.kernels.linear_cross_entropy import IGNORED, linear_cross_entropy, linear_cross_entropy_reference

__all__ = ["IGNORED", "StudentLoss", "loss_scale"]

# Float32 logits of all targets of a micro-batch up to which a CPU makes them at once after all. One core, time of the
# plain loss over the fused one by their size: 0.7 MB 0.83, 5.4 MB 0.95, 6.8 MB 0.97, 10 MB 0.98, 20 MB 1.27.
PLAIN_BYTES = 8 * 2**20


class StudentLoss(nn.Module):  # type: ignore[misc]
    """Sum of the negative log-likelihood over a micro-batch's targets, in float32.

    `fused`: logits are made a chunk of targets at a time and never kept, but for a few on a CPU; otherwise those of all
    targets at once.
    """

    def __init__(self, model: nn.Module, *, fused: bool = True, plain_bytes: int = PLAIN_BYTES) -> None:
        super().__init__()
        self.model: Any = model
        self._fused = fused
        self._plain_bytes = plain_bytes
        # What some models do to their logits after the head: Gemma caps, Cohere multiplies, Granite divides.
        config = getattr(model, "config", None)
        self._softcap = float(getattr(config, "final_logit_softcapping", None) or 0.0)
        self._factor = float(getattr(config, "logit_scale", None) or 1.0) / float(
            getattr(config, "logits_scaling", None) or 1.0
        )
        # Full class names of the transformer layers, each of which ZeRO-3 gathers as one.
        names = set(getattr(model, "_no_split_modules", None) or ())
        self.layer_classes = sorted(
            {f"{type(m).__module__}.{type(m).__qualname__}" for m in model.modules() if type(m).__name__ in names}
        )

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, documents: Any, weights: Tensor | None = None
    ) -> Tensor:
        """`input_ids`, `position_ids`, `labels` int64[1, N], labels already shifted; `documents`: see
        kernels/attention.py; `weights` float32[1, N]: what each target counts, 1 without them.

        Only the supervised positions reach the head. No attention mask is given: documents are kept apart by
        `documents` (an all-ones mask would join them in transformers).
        """
        hidden = self.model.base_model(
            input_ids=input_ids, position_ids=position_ids, use_cache=False, documents=documents
        ).last_hidden_state
        hidden, labels = hidden.flatten(0, 1), labels.flatten()
        if self._factor != 1.0:
            hidden = hidden * self._factor
        weights = None if weights is None else weights.flatten()
        head = self.model.get_output_embeddings()
        bias = getattr(head, "bias", None)
        chosen = labels != IGNORED
        if self._fused and not self._is_small(chosen, head.out_features):
            return linear_cross_entropy(
                hidden, head.weight, labels, weights_T=weights, bias_V=bias, softcap=self._softcap
            )
        return linear_cross_entropy_reference(
            hidden[chosen],
            head.weight,
            labels[chosen],
            weights_T=None if weights is None else weights[chosen],
            bias_V=bias,
            softcap=self._softcap,
        )

    def _is_small(self, chosen: Tensor, num_columns: int) -> bool:
        """Whether the logits are so few that chunks of them cost more than they save. A GPU is not asked."""
        if chosen.device.type != "cpu":
            return False
        return 4 * int(chosen.sum()) * num_columns <= self._plain_bytes


def loss_scale(divisor: int, world_size: int, accumulation: int) -> float:
    """Factor for a micro-batch's summed loss, of which the global batch's is to be divided by `divisor`, its targets or
    samples. DeepSpeed averages over ranks and micro-batches; this undoes it.
    """
    return world_size * accumulation / max(1, divisor)
