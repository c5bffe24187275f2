"""Threshold profiles: above which cosine a model's vectors mean the same question, found by `reasonmill calibrate`.

A cosine is a property of the model: 0.9 is rare between unlike questions for one and usual for another. A profile is
for the very encoder that it was made with; with any other it is refused by name.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.curate.settings import EmbeddingSettings
from reasonmill.engine.store.aside import write_whole

MAX_ERROR = 0.005  # of a cosine near the threshold against float32, above which a type of numbers is refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What calibration found. Shares are of planted copies found (by kind), and of clean queries flagged."""

    identity: str  # of the encoder
    threshold: float
    recall: dict[str, float]
    clean_flagged: float
    max_error: float  # of cosines near the threshold, against the same model in float32
    copies: int
    clean: int

    def write(self, path: str) -> None:
        """As a JSON file."""
        write_whole(Path(path), orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_profile(path: str) -> Profile:
    """The profile in a file. Raises ValueError for a file that is none."""
    try:
        content: Any = orjson.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise ValueError(f"embeddings.profile: {path!r} does not exist") from None
    except (orjson.JSONDecodeError, IsADirectoryError) as error:
        raise ValueError(f"embeddings.profile: {path!r} is no profile: {error}") from None
    names = {field.name for field in fields(Profile)}
    if not isinstance(content, dict) or set(content) != names:
        raise ValueError(f"embeddings.profile: {path!r} is no profile: it needs {', '.join(sorted(names))}")
    if not isinstance(content["threshold"], float) or not -1.0 <= content["threshold"] <= 1.0:
        raise ValueError(f"embeddings.profile: {path!r}: threshold {content['threshold']!r} is outside [-1, 1]")
    return Profile(**content)


def threshold_for(settings: EmbeddingSettings, identity: str) -> float:
    """The threshold of an encoder. Raises ValueError for a profile of another, or of a type of numbers too coarse."""
    if settings.profile is None:
        return settings.threshold
    profile = read_profile(settings.profile)
    if profile.identity != identity:
        raise ValueError(
            f"embeddings.profile: {settings.profile!r} is of the encoder {profile.identity!r}, and this is "
            f"{identity!r}: calibrate this one"
        )
    if not profile.max_error <= MAX_ERROR:
        raise ValueError(
            f"embeddings.profile: {settings.profile!r}: cosines in {settings.dtype} are wrong by up to "
            f"{profile.max_error:.4f} near the threshold, more than {MAX_ERROR}: use float32 or bfloat16"
        )
    return profile.threshold
