"""Decontamination by text: recall of planted evaluation items by kind of disguise, and clean queries flagged.

Against open-r1's rule, any shared 8-gram of words. With REASONMILL_EVALSETS naming a folder that holds
aime24_qwen, math500, amc23 (items) and gsm8k_train, gsm8k_test as .jsonl.gz it runs on those; else on written ones.
"""

import gzip
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import orjson

from reasonmill.bench.curate_corpus import Writer
from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import interleave
from reasonmill.engine.curate.decontaminate import Evaluation, EvaluationItem, contaminated
from reasonmill.engine.curate.settings import DecontaminateSettings
from reasonmill.kernels.corpus import Corpus

_SETS = ("aime24_qwen", "math500", "amc23")
_SETTINGS = DecontaminateSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Items to look for, clean queries, and questions whose copies with other numbers must be found too."""

    items: list[str]
    clean: list[str]
    renumbered: list[str]


def measure(scale: Scale) -> Iterator[Figure]:
    """Recall by kind, false flags, both beside open-r1's rule; then the ratio of their CPU times."""
    material = _material(2_000 if scale == "ci" else 20_000)
    items = [EvaluationItem(id=str(n), text=text, set_name="items") for n, text in enumerate(material.items)]
    lookup = _eight_grams(material.items)
    for kind, disguise in _kinds(material.clean).items():
        copies = [disguise(text) for text in material.items]
        found = contaminated([*material.clean, *copies], items, _SETTINGS)
        share = sum(len(material.clean) + n in found for n in range(len(copies))) / len(copies)
        theirs = sum(_any_shared(text, lookup) for text in copies) / len(copies)
        yield Figure(name=f"recall_{kind}", value=share, unit="share", target=0.98, gated=True, tolerance=0.01,
                     detail={"open_r1": theirs, "items": len(copies)})  # fmt: skip
    found = contaminated(material.clean, items, _SETTINGS)
    theirs = sum(_any_shared(text, lookup) for text in material.clean) / len(material.clean)
    yield Figure(name="clean_flagged", value=len(found) / len(material.clean), unit="share", better="lower",
                 target=0.001, gated=True, tolerance=0.5, detail={"open_r1": theirs})  # fmt: skip
    yield _renumbered(material)
    against = Evaluation(items, _SETTINGS)  # made once, as open-r1's table is
    timings = interleave(
        {
            "ours": lambda: _contaminated(material.clean, against),
            "open_r1": lambda: [_any_shared(text, lookup) for text in material.clean],
        },
        rounds=5,
        clock=process_time,
    )
    yield timings.figure("against_open_r1", "open_r1", "ours", target=40.0)


def _contaminated(texts: list[str], against: Evaluation) -> int:
    corpus = Corpus(texts, index=against.index, least_tokens=_SETTINGS.containment_tokens, num_threads=1)
    return len(against.contaminated(texts.__getitem__, corpus.matches, np.ones(len(texts), np.bool_)))


def _renumbered(material: Material) -> Figure:
    items = [EvaluationItem(id=str(n), text=text, set_name="items") for n, text in enumerate(material.renumbered)]
    settings = DecontaminateSettings(guard_set_share=1.0)
    copies = [_other_numbers(text) for text in material.renumbered]
    found = contaminated(copies, items, settings)
    return Figure(name="recall_other_numbers", value=len(found) / len(copies), unit="share", target=0.98, gated=True,
                  tolerance=0.01, detail={"items": len(copies)})  # fmt: skip


def _material(num_clean: int) -> Material:
    folder = os.environ.get("REASONMILL_EVALSETS")
    if folder:
        root = Path(folder)
        items = [text for name in _SETS for text in _questions(root / f"{name}.jsonl.gz")]
        clean = _questions(root / "gsm8k_train.jsonl.gz")
        return Material(items=items, clean=clean, renumbered=_questions(root / "gsm8k_test.jsonl.gz"))
    writer = Writer(3)
    items = [" ".join(writer.sentence() for _ in range(1 + n % 4)) for n in range(500)]
    clean = [writer.query() for _ in range(num_clean)]
    numbered = [text for text in (writer.query() for _ in range(500)) if re.search(r"\d", text)]
    return Material(items=items, clean=clean, renumbered=numbered)


def _questions(path: Path) -> list[str]:
    with gzip.open(path) as stream:
        rows = [orjson.loads(line) for line in stream]
    return [str(row.get("question") or row.get("problem")) for row in rows]


def _kinds(clean: Sequence[str]) -> dict[str, Callable[[str], str]]:
    rng = random.Random(11)
    words = sorted({word for text in clean[:2000] for word in text.split()})

    def edited(text: str, share: float) -> str:
        kept = []
        for word in re.split(r"(\s+)", text):
            draw = rng.random()
            if not word.strip() or draw >= share:
                kept.append(word)
            elif draw < 0.6 * share:
                kept.append(rng.choice(words))
            elif draw < 0.8 * share:
                kept.append(f"{rng.choice(words)} {word}")
        return "".join(kept)

    return {
        "verbatim": lambda text: text,
        "wrapped": lambda text: f"You are a careful assistant. Solve it and box the answer.\n\n{text}\n\nThink first.",
        "reformatted": _reformatted,
        "edits_2_percent": lambda text: edited(text, 0.02),
        "edits_5_percent": lambda text: edited(text, 0.05),
        "edits_10_percent": lambda text: edited(text, 0.10),
    }


def _reformatted(text: str) -> str:
    text = text.replace("\\frac", "\\dfrac")
    text = re.sub(r"\$([^$]+)\$", r"\\( \1 \\)", text)
    return re.sub(r"([=+<>])", r" \1 ", text)


def _other_numbers(text: str) -> str:
    return re.sub(r"\d+", lambda match: str(int(match[0]) % 997 + 3), text)


def _grams(text: str, n: int = 8) -> set[str]:
    words = text.lower().split()
    return {" ".join(words[at : at + n]) for at in range(len(words) - n + 1)}


def _eight_grams(items: Sequence[str]) -> frozenset[str]:
    return frozenset(gram for item in items for gram in _grams(item))


def _any_shared(text: str, lookup: frozenset[str]) -> bool:
    return not lookup.isdisjoint(_grams(text))
