"""Other tools for near-duplicates, each with its own best settings: text in, a flag for every query out.

All take tokens and get the same word-5-grams, made by `re` as their examples do; the time for that is part of theirs,
for a user pays it. `pip install 'reasonmill[peers]'` brings them.
"""

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

NUM_PERM = 128
BANDS = 16  # of 8 rows: the widest of their usual settings, recall .997 at 0.8
_WORD = re.compile(r"\w+")

Peer = Callable[[Sequence[str]], Any]


def shingles(text: str, n: int = 5) -> list[str]:
    """Word n-grams of a text; all of it where it has fewer words."""
    words = _WORD.findall(text.lower())
    return [" ".join(words[at : at + n]) for at in range(max(1, len(words) - n + 1))]


def _datasketch(texts: Sequence[str]) -> list[bool]:
    """MinHash.bulk, then MinHashLSH query and insert."""
    module = import_module("datasketch")
    sketches = module.MinHash.bulk([[s.encode() for s in shingles(text)] for text in texts], num_perm=NUM_PERM)
    lsh = module.MinHashLSH(num_perm=NUM_PERM, params=(BANDS, NUM_PERM // BANDS))
    flags = []
    for number, sketch in enumerate(sketches):
        flags.append(bool(lsh.query(sketch)))
        lsh.insert(number, sketch)
    return flags


def _rensa(texts: Sequence[str]) -> Any:
    """RMinHash over all shingles as one matrix, one-shot bands."""
    module = import_module("rensa")
    matrix = module.RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], NUM_PERM, 1)
    lsh = module.RMinHashLSH(0.8, NUM_PERM, BANDS)
    return lsh.query_duplicate_flags_matrix_one_shot(matrix)


def _fast_sketch_lsh(texts: Sequence[str]) -> Any:
    """FastSimilaritySketch in one batch, band-parallel LSH, both on one thread."""
    module = import_module("FastSketchLSH")
    sketches = module.FastSimilaritySketch(NUM_PERM).batch([shingles(text) for text in texts], num_threads=1)
    lsh = module.LSH(NUM_PERM, BANDS, num_threads=1)
    return lsh.insert_and_query_duplicates(sketches)


_PEERS: dict[str, Peer] = {"datasketch": _datasketch, "rensa": _rensa, "FastSketchLSH": _fast_sketch_lsh}


def installed() -> dict[str, Peer]:
    """Peers by module, those that can be imported here."""
    return {name: run for name, run in _PEERS.items() if find_spec(name) is not None}


def missing() -> list[str]:
    """Peers that are not installed."""
    return [name for name in _PEERS if find_spec(name) is None]
