"""A sentence-transformers model that reads texts of any length: each becomes the unit vectors of its pieces.

A piece is padded to a length that it alone decides, and a batch is filled up to a multiple of eight. On a CPU its
vector is then the same bits whatever the other texts are, so that nothing that is decided by vectors depends on how the
texts came in chunks.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from reasonmill.engine.curate.windows import paragraphs, windows

_STEP = 16  # tokens: lengths of batches are multiples of this
_ROWS = 8  # texts: so are their sizes. MiniLM on AVX-512, float32 and bfloat16: the same bits with 8, 16 and 32 rows
_DEFAULT_WINDOW = 512  # tokens, of a model that states none
_SCHEME = "windows-1"  # of cutting and batching: vectors made in another way are not compared with these


@dataclass(frozen=True, kw_only=True, slots=True)
class Pieces:
    """Of N texts: `counts` int64 [N] pieces of each, `vectors` float32 [sum of counts, D] in the order of the texts."""

    counts: NDArray[np.int64]
    vectors: NDArray[np.float32]


class WindowEncoder:
    """Holds one loaded model. `room` is the number of tokens of a text that fit its window."""

    def __init__(self, model: Any, batch_size: int) -> None:
        self._model = model
        self._tokenizer = model.tokenizer
        self._batch_size = batch_size
        self._device = model.device
        self._head, self._tail = self._special_tokens()
        self.room = (model.max_seq_length or _DEFAULT_WINDOW) - len(self._head) - len(self._tail)
        if self.room < 1:
            raise ValueError(f"the model's window of {model.max_seq_length} tokens has no room for a text")
        self.dimension = int(self.encode(["dimension"]).vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> Pieces:
        """Unit vectors of every piece of every text."""
        owners: list[int] = []
        pieces: list[list[int]] = []
        for owner, (text, tokens) in enumerate(zip(texts, self._tokens(texts), strict=True)):
            for piece in self._cut(text, tokens):
                owners.append(owner)
                pieces.append(piece)
        return Pieces(
            counts=np.bincount(np.array(owners, np.int64), minlength=len(texts)).astype(np.int64),
            vectors=self._vectors(pieces),
        )

    def _cut(self, text: str, tokens: list[int]) -> list[list[int]]:
        if len(tokens) <= self.room:
            return [tokens]
        parts = [tokens[start:end] for start, end in windows(len(tokens), self.room)]
        for part in self._tokens(paragraphs(text)):
            parts.extend(part[start:end] for start, end in windows(len(part), self.room))
        return parts

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        found = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, padding=False, verbose=False)
        return [list(ids) for ids in found["input_ids"]]

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """What the model puts around a text, its own prompt included."""
        prompt = self._model.prompts.get(self._model.default_prompt_name or "", "")
        whole = self._tokenizer("a", verbose=False)["input_ids"]
        bare = self._tokens(["a"])[0]
        place = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), None)
        if place is None or not bare:
            raise ValueError("the tokenizer changes a text when it puts its special tokens around it")
        return [*whole[:place], *(self._tokens([prompt])[0] if prompt else [])], whole[place + len(bare) :]

    def _vectors(self, pieces: Sequence[list[int]]) -> NDArray[np.float32]:
        rows = [[*self._head, *piece, *self._tail] for piece in pieces]
        by_length: dict[int, list[int]] = {}
        for number, row in enumerate(rows):
            by_length.setdefault(-(-len(row) // _STEP) * _STEP, []).append(number)
        vectors: NDArray[np.float32] | None = None
        for length in sorted(by_length):
            numbers = by_length[length]
            for start in range(0, len(numbers), self._batch_size):
                chosen = numbers[start : start + self._batch_size]
                found = self._batch([rows[number] for number in chosen], length)
                if vectors is None:
                    vectors = np.empty((len(rows), found.shape[1]), np.float32)
                vectors[chosen] = found
        return np.empty((0, self.dimension), np.float32) if vectors is None else vectors

    def _batch(self, rows: Sequence[list[int]], length: int) -> NDArray[np.float32]:
        """Unit vectors of the rows, float32 [len(rows), D]; copies of the first fill the batch up."""
        import torch

        filled = [*rows, *([rows[0]] * (-len(rows) % _ROWS))]
        ids = np.full((len(filled), length), self._tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros((len(filled), length), np.int64)
        for at, row in enumerate(filled):
            ids[at, : len(row)] = row
            mask[at, : len(row)] = 1
        names = self._tokenizer.model_input_names
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "token_type_ids" in names:
            features["token_type_ids"] = torch.zeros_like(features["input_ids"])
        features = {name: tensor.to(self._device) for name, tensor in features.items()}
        with torch.inference_mode():
            vectors = self._model(features)["sentence_embedding"][: len(rows)].float().cpu().numpy()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = (vectors / np.maximum(lengths, np.float32(1e-12))).astype(np.float32)
        return unit


def load_encoder(folder: Path, dtype: str, device: str, batch_size: int) -> WindowEncoder:
    """The model of a folder. Raises ValueError or OSError for one that cannot be loaded, or a device that is missing.

    Torch is imported in this file, and beside it in embedding_search.py alone.
    """
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", HF_HUB_DISABLE_PROGRESS_BARS="1")
    import torch

    if importlib.util.find_spec("torchvision") is None:
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # libraries that probe for it take this for absent
    from sentence_transformers import SentenceTransformer

    where = chosen_device(device)
    if where == "cpu":
        torch.set_num_threads(1)
    weights = getattr(torch, "float32" if dtype == "int8" else dtype)
    model = SentenceTransformer(str(folder), device=where, model_kwargs={"dtype": weights})
    if dtype == "int8":
        if where != "cpu":
            raise ValueError("embeddings.dtype: int8 is for a CPU")
        torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
    return WindowEncoder(model, batch_size)


def chosen_device(device: str) -> str:
    """`cuda` or `cpu`: what is asked for, or with `auto` what is there. Raises ValueError without the GPU asked for."""
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ValueError("embeddings.device: cuda is asked for, and torch sees no GPU")
    return "cuda" if there and device != "cpu" else "cpu"


def identity(folder: Path, dtype: str, device: str) -> str:
    """Names what decides a vector beside the text: the model's files, the type of its numbers, the device, the cuts."""
    digest = xxhash.xxh3_128()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md"):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            while part := stream.read(2**20):
                digest.update(part)
    return f"{digest.hexdigest()}-{dtype}-{device}-{_SCHEME}"
