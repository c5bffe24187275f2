"""Child process that turns texts into unit vectors and finds the nearest evaluation item to each.

`python -m reasonmill.engine.curate.embedding_worker MODEL DTYPE DEVICE BATCH_SIZE`. Its first message is a JSON object:
the vectors' `dimension`, the encoder's `identity` and `device`, or the `error` that keeps it from working. Then it
answers, each request beginning with a JSON object:

- {"do": "encode", "texts": [...]}: `counts` of pieces of each text, and a frame of their vectors, float32.
- {"do": "hold"} and a frame of vectors: these are the items to compare with from now on.
- {"do": "nearest", "floor": cosine} and a frame of vectors: frames of the nearest items, int64, and cosines, float64.

It ends with its input, and dies with its parent.
"""

import os
import signal
import sys
from typing import BinaryIO

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.embedding_frames import framed, read_frame
from reasonmill.engine.curate.embedding_model import model_folder
from reasonmill.engine.curate.embedding_search import Candidates
from reasonmill.engine.curate.window_encoder import WindowEncoder, chosen_device, identity, load_encoder
from reasonmill.engine.flow.lifeline import die_with_parent


def serve(requests: BinaryIO, answers: BinaryIO, encoder: WindowEncoder, device: str) -> None:
    """Answer every request until the input ends."""
    candidates: Candidates | None = None
    while (request := read_frame(requests)) is not None:
        asked = orjson.loads(request)
        if asked["do"] == "encode":
            found = encoder.encode(asked["texts"])
            answers.write(framed(orjson.dumps({"counts": found.counts.tolist()})))
            answers.write(framed(found.vectors.tobytes()))
        elif asked["do"] == "hold":
            candidates = Candidates(_vectors(requests, encoder.dimension), device)
        else:
            assert candidates is not None, "asked for the nearest before any item was held"
            best, cosines = candidates.nearest(_vectors(requests, encoder.dimension), asked["floor"])
            answers.write(framed(best.tobytes()))
            answers.write(framed(cosines.tobytes()))
        answers.flush()


def _vectors(requests: BinaryIO, dimension: int) -> NDArray[np.float32]:
    content = read_frame(requests)
    assert content is not None, "a request that ends before its vectors"
    return np.frombuffer(content, np.float32).reshape(-1, dimension)


def main() -> None:
    """Process entry; see the module."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print goes to the log, not among the answers
    model, dtype, device, batch_size = sys.argv[1:5]
    try:
        folder = model_folder(model or None)
        encoder = load_encoder(folder, dtype, device, int(batch_size))
        where = chosen_device(device)
        greeting = {"dimension": encoder.dimension, "identity": identity(folder, dtype, where), "device": where}
    except (ImportError, OSError, ValueError) as error:
        answers.write(framed(orjson.dumps({"error": f"{type(error).__name__}: {error}"})))
        answers.close()
        return
    answers.write(framed(orjson.dumps(greeting)))
    answers.flush()
    serve(sys.stdin.buffer, answers, encoder, where)


if __name__ == "__main__":
    main()
