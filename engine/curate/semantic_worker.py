"""Child process that searches vectors for likenesses, so that its parent loads neither torch nor faiss.

`python -m reasonmill.engine.curate.semantic_worker FOLDER THRESHOLD DEVICE INDEX_ABOVE` reads `vectors.npy` (float32
[N, D]) and `pools.npy` (uint64 [N]), and writes `kept_as.npy` and `cosine.npy` as semantic_search.standing finds them.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np

from reasonmill.engine.curate.semantic_search import standing
from reasonmill.engine.curate.window_encoder import chosen_device
from reasonmill.engine.flow.lifeline import die_with_parent


def main() -> None:
    """Process entry; see the module."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, threshold, device, index_above = sys.argv[1:5]
    place = Path(folder)
    found = standing(
        np.load(place / "vectors.npy", mmap_mode="r"),
        np.load(place / "pools.npy"),
        float(threshold),
        device=chosen_device(device),
        index_above=int(index_above) if index_above else None,
    )
    np.save(place / "kept_as.npy", found.kept_as)
    np.save(place / "cosine.npy", found.cosine)
    sys.stdout.flush()
    os._exit(0)  # what torch and faiss tear down at the end is of no interest


if __name__ == "__main__":
    main()
