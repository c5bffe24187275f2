"""DPO and LD-DPO over packed pairs (arXiv 2305.18290 equation 7; arXiv 2505.02142 equations 2 and 3).

The log-probability of a response of l tokens is the sum over its first l_p tokens, and `ld_alpha` times the sum over
the others; l_p is the length of the shorter response of its pair. With 1 that is DPO; with 0 only the common length
counts. Of responses of equal length all tokens are common.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reasonmill.engine.train.loss import IGNORED, StudentLoss
from reasonmill.engine.train.preference_settings import PreferenceSettings
from reasonmill.kernels.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_reference

FIGURES = ("reward_chosen", "reward_rejected", "reward_margin", "reward_accuracy")


@dataclass(frozen=True, kw_only=True, eq=False)
class PairTargets:
    """P pairs in a micro-batch of N tokens, document 2 p chosen and 2 p + 1 rejected.

    `lengths`: tokens of each document, on the host. `is_common` bool: predicts one of the first l_p tokens of its
    response. `reference` float32[P, 2, 2]: log-probability of (chosen, rejected) over (common, other) tokens under
    the model that training began with; None where that is asked for.
    """

    lengths: tuple[int, ...]
    is_common: Tensor
    reference: Tensor | None


def common_targets(labels: NDArray[np.int64], ends: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which positions predict a token that counts whole: the first l_p targets of both responses of each pair.

    `labels` are shifted; `ends` int[2 P + 1] are the documents' borders.
    """
    is_target = labels != IGNORED
    before = np.concatenate(([0], np.cumsum(is_target)))
    counts = before[ends[1:]] - before[ends[:-1]]
    shorter = np.repeat(counts.reshape(-1, 2).min(axis=1), 2)
    rank = before[:-1] - np.repeat(before[ends[:-1]], np.diff(ends))  # of a target among those of its document
    common: NDArray[np.bool_] = is_target & (rank < np.repeat(shorter, np.diff(ends)))
    return common


def response_log_probabilities(token_losses: Tensor, pairs: PairTargets) -> Tensor:
    """Log-probabilities [P, 2, 2] of (chosen, rejected) over (common, other) tokens, from each token's loss."""
    common = torch.where(pairs.is_common, token_losses, 0.0)
    other = torch.where(pairs.is_common, 0.0, token_losses)
    sums = [torch.stack([part.sum() for part in split]) for split in _documents(common, other, pairs.lengths)]
    return -torch.stack(sums, dim=-1).view(-1, 2, 2)


def _documents(common: Tensor, other: Tensor, lengths: tuple[int, ...]) -> list[tuple[Tensor, ...]]:
    # document by document: the sum of one does not depend on what it is packed with
    return [common.split(list(lengths)), other.split(list(lengths))]


def preference_loss(policy: Tensor, reference: Tensor, settings: PreferenceSettings) -> tuple[Tensor, Tensor]:
    """Loss of each pair [P], -log sigma(beta (log-ratio of the chosen - that of the rejected)), and both rewards
    [P, 2], beta times the log-ratios. Arguments are float[P, 2, 2], see `response_log_probabilities`.
    """
    log_ratios = policy - reference
    rewards = settings.beta * (log_ratios[..., 0] + settings.ld_alpha * log_ratios[..., 1])
    return -functional.logsigmoid(rewards[:, 0] - rewards[:, 1]), rewards


class PreferenceLoss(StudentLoss):
    """Sum of the preference loss over a micro-batch's pairs. `figures` float64[4] grows by the sums of FIGURES."""

    def __init__(self, model: nn.Module, settings: PreferenceSettings, *, fused: bool = True) -> None:
        super().__init__(model, fused=fused)
        self._settings = settings
        self.figures: Tensor | None = None

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, documents: Any, pairs: PairTargets
    ) -> Tensor:
        """As StudentLoss; without a reference in `pairs`, the log-probabilities [P, 2, 2] themselves.

        Without pairs the sum is zero and still a function of every parameter, as all ranks must make the same calls.
        """
        losses = self._token_losses(input_ids, position_ids, labels, documents)
        if not pairs.lengths:
            return losses.sum()
        policy = response_log_probabilities(losses, pairs)
        if pairs.reference is None:
            return policy
        loss, rewards = preference_loss(policy, pairs.reference, self._settings)
        self._note(rewards.detach())
        return loss.sum()

    def _token_losses(self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, documents: Any) -> Tensor:
        """Negative log-likelihood of each token's successor [N], 0 where it is no target."""
        hidden = self.model.base_model(
            input_ids=input_ids, position_ids=position_ids, use_cache=False, documents=documents
        ).last_hidden_state
        hidden = hidden.flatten(0, 1) * self._factor if self._factor != 1.0 else hidden.flatten(0, 1)
        head = self.model.get_output_embeddings()
        of_tokens = linear_cross_entropy if self._fused else linear_cross_entropy_reference
        return of_tokens(
            hidden,
            head.weight,
            labels.flatten(),
            bias_V=getattr(head, "bias", None),
            softcap=self._softcap,
            reduction="none",
        )

    def _note(self, rewards: Tensor) -> None:
        chosen, rejected = rewards.double().unbind(1)
        sums = [chosen.sum(), rejected.sum(), (chosen - rejected).sum(), (chosen > rejected).double().sum()]
        self.figures = torch.stack(sums) + (0.0 if self.figures is None else self.figures)

    def take_figures(self) -> list[float]:
        """The sums since the last call, in the order of FIGURES."""
        found = [0.0] * len(FIGURES) if self.figures is None else [float(value) for value in self.figures.tolist()]
        self.figures = None
        return found
