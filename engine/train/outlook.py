"""What is said before a training starts: rows, steps, what a rank will hold, whether that fits and what to change."""

import os
import shutil
import subprocess
from pathlib import Path

from reasonmill.engine.train.dimensions import dimensions_of
from reasonmill.engine.train.forecast import Extent, forecast
from reasonmill.engine.train.memory import GIB, verdict
from reasonmill.engine.train.model_files import longest_positions
from reasonmill.engine.train.settings import ModelShape, TrainSettings
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.tokenizer import load_tokenizer, vocab_size


def outlook(
    settings: TrainSettings, extent: Extent, *, tokenizer: str, packed: PackedReader | None = None
) -> list[str]:
    """Lines for a person: what the set `packed` holds where it is finished; steps where rows or `max_steps` are known;
    memory.
    """
    lines = []
    if packed is not None and packed.finished:
        lines.append(f"{packed.num_documents:,} samples, {packed.num_tokens:,} tokens, fill {packed.fill:.4f}")
    if extent.num_rows:
        lines += forecast(settings, extent).lines()
    elif settings.max_steps:
        lines.append(f"{settings.max_steps:,} steps of at most {settings.rows_per_step * extent.max_length:,} tokens")
    return lines + _positions(settings, packed) + _memory(settings, tokenizer, extent.max_length)


def _positions(settings: TrainSettings, packed: PackedReader | None) -> list[str]:
    """A warning where samples are longer than the student's positions go: rows may be, each sample begins at 0."""
    model = settings.model
    known = model.max_position_embeddings if isinstance(model, ModelShape) else None
    if isinstance(model, str):
        known = longest_positions(Path(model) / "config.json")
    longest = 0 if packed is None else packed.longest_document
    if known is None or longest <= known:
        return []
    return [f"warning: the longest sample has {longest:,} tokens, max_position_embeddings of the student is {known:,}"]


def _memory(settings: TrainSettings, tokenizer: str, max_length: int) -> list[str]:
    columns = 0
    if isinstance(settings.model, ModelShape) and settings.model.vocab_size is None and tokenizer:
        columns = vocab_size(load_tokenizer(Path(tokenizer)))
    dimensions = dimensions_of(settings.model, vocab_size=columns)
    if dimensions is None:
        return [f"memory: not foretold, {str(settings.model)!r} has no config.json that says its sizes"]
    gpu = _gpu_bytes()
    available = gpu or _host_bytes() // settings.num_ranks
    if settings.device_memory_gib is not None:
        available = round(settings.device_memory_gib * GIB)
    on_gpu = gpu is not None or settings.device_memory_gib is not None
    lines = [f"{dimensions.num_parameters:,} parameters"]
    return lines + verdict(dimensions, settings, max_length=max_length, available=available, on_gpu=on_gpu)


def _gpu_bytes() -> int | None:
    """Memory of the smallest GPU here; None without one."""
    if shutil.which("nvidia-smi") is None:
        return None
    asked = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    done = subprocess.run(asked, capture_output=True, text=True, timeout=30)
    sizes = [int(line) for line in done.stdout.split() if line.isdigit()]
    return min(sizes) * 2**20 if done.returncode == 0 and sizes else None


def _host_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
