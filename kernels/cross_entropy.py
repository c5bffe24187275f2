"""Cross entropy of rows of logits in torch, in place: the CPU's path and the slow twin of kernels/gpu/cross_entropy.py.

Weighted loss of row i with label y: `w_i ((1 - s) (lse - z_y) + s (lse - mean z))`, z the logits after an optional
soft cap `c tanh(z / c)`, s the label smoothing.
"""

import torch
from torch import Tensor


def cross_entropy_rows(
    logits_NV: Tensor,
    labels_N: Tensor,
    weights_N: Tensor,
    *,
    softcap: float = 0.0,
    label_smoothing: float = 0.0,
    gradient: bool,
    lse_N: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Weighted losses and log-sum-exps [N], in float32 or wider. With `gradient` the logits become that of the losses.

    `lse_N`, when given, is taken as known: no losses are computed, the returned ones are not to be read. A label that
    is no column makes its loss NaN.
    """
    wide = torch.promote_types(logits_NV.dtype, torch.float32)
    z, capped = logits_NV, None
    if softcap > 0.0:
        capped = torch.tanh(z.to(wide) / softcap)
        z = capped * softcap
    known = (labels_N >= 0) & (labels_N < z.shape[1])
    columns = torch.where(known, labels_N, 0).long().unsqueeze(1)
    if lse_N is None:
        # one pass over the logits, in the wide type at once; logsumexp takes five (1.6 times as long in all)
        log_p = torch.log_softmax(z, 1, dtype=wide)
        log_p_label = log_p.gather(1, columns).squeeze(1)
        losses = log_p_label * (label_smoothing - 1.0)
        if label_smoothing > 0.0:
            losses -= label_smoothing * log_p.mean(1)
        losses = torch.where(known, losses * weights_N, torch.nan)
        lse = z.gather(1, columns).squeeze(1).to(wide) - log_p_label
    else:
        log_p = z.to(wide) - lse_N.to(wide).unsqueeze(1)
        losses, lse = torch.empty_like(lse_N), lse_N
    if gradient:
        p = torch.exp(log_p, out=logits_NV if logits_NV.dtype == wide else log_p)
        if label_smoothing > 0.0:
            p -= label_smoothing / p.shape[1]
        p.scatter_add_(1, columns, known.to(wide).mul_(label_smoothing - 1.0).unsqueeze(1))
        if capped is not None:
            p *= 1.0 - capped.square()
        p *= weights_N.to(wide).unsqueeze(1)
        if p is not logits_NV:
            logits_NV.copy_(p)
    return losses, lse
