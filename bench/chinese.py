"""Near-duplicates in Chinese: recall of copies with some characters changed, by exact comparison and by plan.

With REASONMILL_CHINESE naming a UTF-8 file of one text a line (those of 60 to 500 Han characters are taken) it runs on
that, else on written texts of as many of the commonest characters.
"""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

from reasonmill.bench.figure import Figure
from reasonmill.engine.curate.disguises import Disguiser
from reasonmill.engine.curate.duplicates import near_duplicates
from reasonmill.kernels.minhash_reference import word_grams

_HAN = re.compile(r"[\u4e00-\u9fff]")
_TARGETS = {0.005: 0.99, 0.01: 0.95}
_TEXTS = 2500


def recall() -> Iterator[Figure]:
    """At 0.5 and 1 % of the characters: of all copies, and of those whose Jaccard is 0.8 or more all the same."""
    originals = _texts()
    characters = sorted({character for text in originals for character in _HAN.findall(text)})
    for share, target in _TARGETS.items():
        disguiser = Disguiser(characters, 5)
        copies = [disguiser.edited_characters(text, share) for text in originals]
        kept_as = near_duplicates([*originals, *copies])
        found = [bool(kept_as[n] == kept_as[len(originals) + n]) for n in range(len(originals))]
        alike = [_jaccard(one, other) >= 0.8 for one, other in zip(originals, copies, strict=True)]
        of_alike = sum(f for f, a in zip(found, alike, strict=True) if a) / max(1, sum(alike))
        detail: dict[str, object] = {"copies": len(copies), "of_those_alike": of_alike, "alike": sum(alike)}
        yield Figure(
            name=f"chinese_recall_{share * 1000:.0f}_per_mille", value=sum(found) / len(found), unit="share",
            target=target, gated=True, tolerance=0.02, detail=detail,
        )  # fmt: skip


def _jaccard(one: str, other: str) -> float:
    left, right = (set(word_grams(text, 5).tolist()) for text in (one, other))
    return len(left & right) / max(1, len(left | right))


def _texts() -> list[str]:
    path = os.environ.get("REASONMILL_CHINESE")
    if path:
        lines = dict.fromkeys(Path(path).read_text(encoding="utf-8").splitlines())
        return [line for line in lines if 60 <= len(_HAN.findall(line)) <= 500][:_TEXTS]
    rng = random.Random(4)
    common = [chr(0x4E00 + 13 * n) for n in range(600)]
    weights = [1 / (rank + 8) for rank in range(len(common))]
    return ["".join(rng.choices(common, weights, k=rng.randrange(60, 500))) for _ in range(_TEXTS)]
