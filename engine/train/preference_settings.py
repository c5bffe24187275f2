"""Settings of training on preferences, checked once on construction. Names are TRL's."""

from dataclasses import dataclass

from reasonmill.packing.pairs import holds_pairs


@dataclass(frozen=True, kw_only=True)
class PreferenceSettings:
    """DPO, and LD-DPO where `ld_alpha` is below 1. Defaults are those of arXiv 2505.02142 section 3 for DPO."""

    beta: float = 0.1  # how strongly the student is held to the model that it begins as
    ld_alpha: float = 1.0  # weight of response tokens past the shorter of the two; 1: DPO; arXiv 2505.02142: 0.3

    def __post_init__(self) -> None:
        if not 0.0 < self.beta < float("inf"):
            raise ValueError(f"beta: {self.beta} is not positive")
        if not 0.0 <= self.ld_alpha <= 1.0:
            raise ValueError(f"ld_alpha: {self.ld_alpha} is outside [0, 1]")


def check_rows(packed: str, preference: PreferenceSettings | None) -> None:
    """Raise ValueError where a packed folder holds pairs and samples are to be trained on, or the other way round."""
    if holds_pairs(packed) and preference is None:
        raise ValueError(f"packed set {packed!r} holds pairs: they need a section train.preference")
    if preference is not None and not holds_pairs(packed):
        raise ValueError(f"packed set {packed!r} holds samples, not pairs: `pack.kind: pairs` packs these")
