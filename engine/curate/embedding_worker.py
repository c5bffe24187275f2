"""Child process that turns texts into unit vectors with a sentence-transformers model, on one torch thread.

`python -m reasonmill.engine.curate.embedding_worker MODEL DTYPE BATCH_SIZE` answers each message (a JSON array of
texts) by the vectors of those texts, float32 in the same order. Its first message is a JSON object: the vectors'
`dimension`, or the `error` that keeps it from working. It ends with its input, and dies with its parent.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.embedding_frames import framed, read_frame
from reasonmill.engine.curate.embedding_model import model_folder
from reasonmill.engine.flow.lifeline import die_with_parent


def load_model(folder: Path, dtype: str) -> Any:
    """The model on the CPU with one thread. Torch is imported here and nowhere else in curation."""
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", HF_HUB_DISABLE_PROGRESS_BARS="1")
    import torch

    if importlib.util.find_spec("torchvision") is None:
        sys.modules["torchvision"] = None  # type: ignore[assignment]  # libraries that probe for it take this for absent
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": getattr(torch, dtype)})


def encode(model: Any, texts: list[str], batch_size: int) -> NDArray[np.float32]:
    """Unit vectors, float32 [len(texts), dimension]; batches are made of texts of like length."""
    vectors = model.encode(texts, batch_size=batch_size, show_progress_bar=False, convert_to_tensor=True)
    array = np.asarray(vectors.float().numpy(), np.float32)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    unit: NDArray[np.float32] = array / np.maximum(lengths, np.float32(1e-12))
    return unit


def serve(requests: BinaryIO, answers: BinaryIO, model: Any, batch_size: int) -> None:
    """Answer every message until the input ends."""
    dimension = encode(model, ["dimension"], batch_size).shape[1]
    answers.write(framed(orjson.dumps({"dimension": dimension})))
    answers.flush()
    while (request := read_frame(requests)) is not None:
        answers.write(framed(encode(model, orjson.loads(request), batch_size).tobytes()))
        answers.flush()


def main() -> None:
    """Process entry; see the module."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes to the log, not among the answers
    model, dtype, batch_size = sys.argv[1:4]
    try:
        loaded = load_model(model_folder(model or None), dtype)
    except (ImportError, OSError, ValueError) as error:
        answers.write(framed(orjson.dumps({"error": f"{type(error).__name__}: {error}"})))
        answers.close()
        return
    serve(sys.stdin.buffer, answers, loaded, int(batch_size))


if __name__ == "__main__":
    main()
