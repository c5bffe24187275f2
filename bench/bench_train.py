"""The trainer on two CPU ranks beside TRL's SFTTrainer, packed and padded, on the same student and the same samples."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import Timings
from reasonmill.bench.train_contestants import STEPS_A_TURN
from reasonmill.bench.train_turns import Contestant, rounds
from reasonmill.engine.train.export import write_model_folder
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.settings import ModelShape
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.writer import PackedWriter

_ROUNDS = {"ci": 5, "node": 11}
_VOCABULARY, _MAX_LENGTH, _DOCUMENTS = 1100, 1280, 1200
# the quickstart's student
_SHAPE = ModelShape(hidden_size=128, num_hidden_layers=3, intermediate_size=384, vocab_size=_VOCABULARY)
_PEERS = {"trl_packed": 1.0, "trl_padded": None}


def measure(scale: Scale) -> Iterator[Figure]:
    """Seconds a token, interleaved: while one trainer steps the others stand still. Above 1: ours is faster."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        reader = _write_inputs(folder)
        names = ["zero3", "zero3_whole_parameters"]
        if find_spec("trl") is None:
            yield Figure(
                name="trl_installed", value=0, unit="peers", detail={"install": "pip install 'reasonmill[peers]'"}
            )
        else:
            names += _PEERS
        contestants = [running.enter_context(Contestant(one, folder / one, folder)) for one in names]
        timings = Timings(seconds=rounds(contestants, _ROUNDS[scale]))
    shape: dict[str, object] = {
        "samples": reader.num_documents,
        "rows": reader.num_rows,
        "fill": round(reader.fill, 4),
        "steps_a_turn": STEPS_A_TURN,
    }
    for one in timings.seconds:
        yield Figure(name=f"{one}_tokens_per_s", value=1.0 / timings.best(one), unit="tokens/s", detail=shape)
    for peer in (one for one in _PEERS if one in timings.seconds):
        for ours in ("zero3", "zero3_whole_parameters"):
            yield timings.figure(f"{peer}_over_{ours}", peer, ours, target=_PEERS[peer])


def _write_inputs(folder: Path) -> PackedReader:
    """A student with random weights, and packed samples of the quickstart's lengths: 40 to 1,280 tokens, mean 150."""
    model = build_model(_SHAPE, vocab_size=_VOCABULARY, seed=0, dtype=torch.float32)
    tokenizer = write_byte_tokenizer(folder / "tokenizer")
    write_model_folder(folder / "model", model=model, weights=model.state_dict(), tokenizer=tokenizer, end_token_id=1)
    random = np.random.default_rng(7)
    lengths = np.clip(np.rint(np.exp(random.normal(4.75, 0.7, _DOCUMENTS))), 40, _MAX_LENGTH).astype(int)
    writer = PackedWriter(folder / "packed", max_length=_MAX_LENGTH)
    for number, length in enumerate(lengths.tolist()):
        ids = random.integers(0, 256, length).astype(np.uint32)
        writer.append(ids, np.arange(length) >= length // 4, document=f"d{number}")
    writer.publish(writer.finish())
    return PackedReader(folder / "packed")
