"""`reasonmill calibrate`: finds the cosine above which an embedding model's vectors mean the same question.

Questions of evaluation sets are planted in disguise among real queries. The threshold is the lowest at which no more
than a set share of the clean queries is flagged; recall is reported for each disguise. Cosines near the threshold are
compared with those of the same model in float32: a type of numbers that moves them by more than 0.005 is refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.decontaminate import EvaluationItem, contaminated
from reasonmill.engine.curate.disguises import Disguiser
from reasonmill.engine.curate.encoder import Encoder
from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.curate.profile import MAX_ERROR, Profile
from reasonmill.engine.curate.settings import AgainstSettings, DecontaminateSettings, EmbeddingSettings
from reasonmill.engine.records import Query
from reasonmill.engine.store.file_names import name_and_path
from reasonmill.engine.store.readers import read_queries

_ENCODED = 256  # texts of one call
_NEAR = 0.05  # of the threshold: cosines whose error counts
_STEP = 0.005  # thresholds are multiples of this, rounded up
_SEED = 17

T = TypeVar("T")


async def calibrate(
    queries: Sequence[str],
    against: Sequence[str],
    settings: EmbeddingSettings,
    *,
    limit: int = 2000,
    max_flagged: float = 0.001,
) -> Profile:
    """The profile of the encoder that the settings name; `limit` queries and as many items are read, evenly spread.

    Queries that text alone shows to be contaminated are left out. Raises ValueError for inputs that cannot be read or
    hold too few questions.
    """
    if limit < 1 or not 0.0 <= max_flagged < 1.0:
        raise ValueError(f"limit {limit} is to be positive, max_flagged {max_flagged} in [0, 1)")
    items = _spread(
        load_evaluation([AgainstSettings(path=path, name=name) for name, path in map(name_and_path, against)]), limit
    )
    clean = _clean(_spread([one for one in read_queries(queries) if isinstance(one, Query)], limit), items)
    if len(items) < 10 or len(clean) < 100:
        raise ValueError(f"calibration needs 10 items and 100 clean queries: there are {len(items)} and {len(clean)}")
    texts = [item.text for item in items]
    disguiser = Disguiser(sorted({word for text in clean for word in text.split()}), _SEED)
    copies = {kind: [disguiser.copy(text, kind) for text in texts] for kind in Disguiser.KINDS}
    async with Encoder(settings) as encoder:
        items_vectors = await _vectors(encoder, texts)
        nearest = _greatest(await _vectors(encoder, clean), items_vectors)
        cosines = {kind: _own(await _vectors(encoder, of_kind), items_vectors) for kind, of_kind in copies.items()}
        identity = encoder.identity
    threshold = lowest_threshold(nearest, max_flagged)
    every = np.concatenate([nearest, *cosines.values()])
    error = 0.0
    if settings.dtype != "float32":
        exact_settings = replace(settings, dtype="float32", profile=None)
        exact = await _all_cosines(exact_settings, texts, clean, copies)
        close = (np.abs(exact - threshold) <= _NEAR) | (np.abs(every - threshold) <= _NEAR)
        error = float(np.abs(every - exact)[close].max(initial=0.0))
    return Profile(
        identity=identity,
        threshold=threshold,
        recall={kind: round(float((of_kind > threshold).mean()), 4) for kind, of_kind in cosines.items()},
        clean_flagged=round(float((nearest > threshold).mean()), 6),
        max_error=round(error, 6),
        copies=len(items) * len(cosines),
        clean=len(clean),
    )


def refusal(profile: Profile, settings: EmbeddingSettings) -> str | None:
    """Why a profile must not be used, None where it may be."""
    if profile.max_error <= MAX_ERROR:
        return None
    return (
        f"cosines in {settings.dtype} are wrong by up to {profile.max_error:.4f} near the threshold "
        f"{profile.threshold:g}, more than {MAX_ERROR}: use float32 or bfloat16"
    )


def lowest_threshold(nearest: NDArray[np.float64], max_flagged: float) -> float:
    """The lowest multiple of 0.005 above which no more than `max_flagged` of the cosines lie; at most 0.995."""
    steps = np.round(np.arange(0.0, 1.0, _STEP), 3)
    shares = [(nearest > step).mean() for step in steps]
    return float(next((step for step, share in zip(steps, shares, strict=True) if share <= max_flagged), steps[-1]))


async def _all_cosines(
    settings: EmbeddingSettings, texts: Sequence[str], clean: Sequence[str], copies: dict[str, list[str]]
) -> NDArray[np.float64]:
    async with Encoder(settings) as encoder:
        items_vectors = await _vectors(encoder, texts)
        own = [_own(await _vectors(encoder, of_kind), items_vectors) for of_kind in copies.values()]
        return np.concatenate([_greatest(await _vectors(encoder, clean), items_vectors), *own])


async def _vectors(encoder: Encoder, texts: Sequence[str]) -> list[NDArray[np.float32]]:
    found = []
    for start in range(0, len(texts), _ENCODED):
        found.extend(await encoder.vectors(texts[start : start + _ENCODED]))
    return found


def _greatest(queries: Sequence[NDArray[np.float32]], items: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Cosine of each query to its nearest item."""
    all_items = np.concatenate(list(items))
    return np.array([float((pieces @ all_items.T).max()) for pieces in queries], np.float64)


def _own(copies: Sequence[NDArray[np.float32]], items: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Cosine of each copy to the item that it is a copy of."""
    return np.array([float((a @ b.T).max()) for a, b in zip(copies, items, strict=True)], np.float64)


def _clean(queries: Sequence[Query], items: Sequence[EvaluationItem]) -> list[str]:
    texts = [query.text for query in queries if query.text.strip()]
    found = contaminated(texts, items, DecontaminateSettings(guard_count=len(texts) + 1))
    return [text for index, text in enumerate(texts) if index not in found]


def _spread(items: Sequence[T], limit: int) -> list[T]:
    """At most `limit` of them, evenly spread."""
    if len(items) <= limit:
        return list(items)
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, limit)]
