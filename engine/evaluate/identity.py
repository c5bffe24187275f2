"""What decides an answer beside the question: the model and how it is sampled, as one JSON value. Answers that are on
disk count again only where this is the same. How a model is served (GPUs, replicas, room) decides nothing.
"""

from pathlib import Path
from typing import Any

import orjson
import xxhash

from reasonmill.engine.recipe_loader import as_plain
from reasonmill.engine.teachers.arithmetic_script import PREFIX
from reasonmill.engine.teachers.settings import TeacherSettings

_ENDS = 2**20  # bytes of each end of a large file that are looked at: training changes every part of the weights
_SAMPLING = (
    *("kind", "system_prompt", "generation_prompt", "temperature", "top_p", "top_k", "max_tokens"),
    *("max_model_len", "dtype"),
)


def asked_of(settings: TeacherSettings, *, seed: int) -> dict[str, Any]:
    """The model and its sampling. Servers are known by their address: what stands behind it is taken to stay."""
    found = {name: getattr(settings, name) for name in _SAMPLING}
    found |= {"seed": seed, "loop_breaker": as_plain(settings.loop_breaker)}
    if settings.kind == "endpoint":
        found |= {"model": settings.model, "base_url": sorted(settings.base_urls)}
    elif settings.kind == "scripted":
        script = str(settings.script)
        found["script"] = script if script.startswith(PREFIX) else _digest_of([Path(script)])
    elif settings.kind == "simulated":
        found |= {"simulation": as_plain(settings.simulation), "model": settings.name}
    else:
        folder = Path(str(settings.model))
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        found["model"] = _digest_of(files) if files else settings.model
    return found


def fingerprint(asked: dict[str, Any]) -> str:
    """32 hex digits."""
    return str(xxhash.xxh3_128_hexdigest(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)))


def _digest_of(files: list[Path]) -> str:
    """Of names, sizes and contents; of a large file its two ends."""
    digest = xxhash.xxh3_128()
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode("utf-8", "surrogateescape"))
        with path.open("rb") as stream:
            digest.update(stream.read(_ENDS))
            if size > _ENDS:
                stream.seek(max(_ENDS, size - _ENDS))
                digest.update(stream.read(_ENDS))
    return str(digest.hexdigest())
