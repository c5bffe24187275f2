"""Near-duplicates in Chinese: recall of copies with some characters changed, against the edits and against the truth.

A text of L characters has L - 4 5-grams, of which k edits spoil 5k: its Jaccard is (L - 4 - 5k) / (L - 4 + 5k), and two
edits take a text of fewer than 94 characters below 0.8, whoever compares. `alike` is the share of copies that are at
0.8 or above by exact comparison, with the same numbers: more cannot be found. What is found of those is another figure.

With REASONMILL_CHINESE naming a UTF-8 file of one text a line (those of 60 to 500 Han characters are taken) it runs on
that, else on written texts of as many of the commonest characters, uniform in length.
"""

import os
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reasonmill.bench.figure import Figure
from reasonmill.engine.curate.disguises import Disguiser
from reasonmill.engine.curate.duplicates import near_duplicates
from reasonmill.kernels.corpus import Corpus
from reasonmill.kernels.minhash_reference import word_grams

_HAN = re.compile(r"[\u4e00-\u9fff]")
_TARGETS = {0.005: 0.99, 0.01: 0.95}
_TEXTS, _COPIES = 20_000, 2_000
_LENGTHS = ((60, 90), (90, 150), (150, 500))  # Han characters: of no edit or one, of two or three, of more
_THRESHOLD = 0.8


def recall() -> Iterator[Figure]:
    """At 0.5 and 1 % of the characters: of all copies; then, of all copies that are alike by exact comparison."""
    texts = _texts()
    originals = np.array(random.Random(6).sample(range(len(texts)), min(_COPIES, len(texts))))
    characters = sorted({character for text in texts for character in _HAN.findall(text)})
    lengths = np.array([len(_HAN.findall(texts[number])) for number in originals.tolist()])
    of_alike: list[bool] = []
    for share, target in _TARGETS.items():
        disguiser = Disguiser(characters, 5)
        copies = [disguiser.edited_characters(texts[number], share) for number in originals.tolist()]
        kept_as = near_duplicates([*texts, *copies], _THRESHOLD)
        found = kept_as[originals] == kept_as[len(texts) :]
        alike = _alike([texts[number] for number in originals.tolist()], copies)
        of_alike.extend(found[alike].tolist())
        detail: dict[str, object] = {"copies": len(copies), "alike": float(alike.mean())}
        detail |= {"others_removed": _others_removed(kept_as, len(texts), originals)}
        for least, most in _LENGTHS:
            some = (lengths >= least) & (lengths < most + (most == _LENGTHS[-1][1]))
            if some.any():
                name = f"{least}_to_{most}_characters"
                detail[name] = {
                    "copies": int(some.sum()),
                    "alike": float(alike[some].mean()),
                    "found": float(found[some].mean()),
                }
        yield Figure(
            name=f"chinese_recall_{share * 1000:.0f}_per_mille", value=float(found.mean()), unit="share",
            target=target, gated=True, tolerance=0.02, detail=detail,
        )  # fmt: skip
    yield Figure(
        name="chinese_recall_of_alike", value=float(np.mean(of_alike)), unit="share", target=0.9999, gated=True,
        tolerance=0.001, detail={"pairs": len(of_alike)},
    )  # fmt: skip


def _others_removed(kept_as: NDArray[np.int64], num_texts: int, originals: NDArray[np.int64]) -> int:
    """Texts of which no copy was made that stand for nothing any more."""
    gone = kept_as[:num_texts] != np.arange(num_texts)
    gone[originals] = False
    return int(np.count_nonzero(gone))


def _alike(texts: Sequence[str], copies: Sequence[str]) -> NDArray[np.bool_]:
    """Of which pairs the exact Jaccard reaches the threshold and the numbers and signs agree (`3！` has a sign)."""
    reach = np.array([_jaccard(one, other) >= _THRESHOLD for one, other in zip(texts, copies, strict=True)], np.bool_)
    same: NDArray[np.bool_] = Corpus(list(texts)).quantities == Corpus(list(copies)).quantities
    return reach & same


def _jaccard(one: str, other: str) -> float:
    left, right = (set(word_grams(text, 5).tolist()) for text in (one, other))
    return len(left & right) / max(1, len(left | right))


def _texts() -> Sequence[str]:
    path = os.environ.get("REASONMILL_CHINESE")
    if path:
        lines = dict.fromkeys(Path(path).read_text(encoding="utf-8").splitlines())
        return [line for line in lines if 60 <= len(_HAN.findall(line)) <= 500][:_TEXTS]
    rng = random.Random(4)
    common = [chr(0x4E00 + 13 * n) for n in range(600)]
    weights = [1 / (rank + 8) for rank in range(len(common))]
    return ["".join(rng.choices(common, weights, k=rng.randrange(60, 500))) for _ in range(_TEXTS)]
