"""Decontamination: recall of planted evaluation items by kind of disguise, and clean queries flagged by each rule.

Settings were chosen on one half of the items and clean queries (by their content's hash), with seeds of its own; the
figures are of the other half. Beside them open-r1's rule: any shared 8-gram of words. With REASONMILL_EVALSETS naming a
folder that holds aime24_qwen, math500, amc23 (items), gsm8k_train, olympiadbench, minerva_math (clean) and gsm8k_test
as .jsonl.gz it runs on those; else on written ones.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import process_time

import numpy as np

from reasonmill.bench.curate_corpus import Writer
from reasonmill.bench.decontaminate_material import Material, held_out, real_material, written_material
from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import interleave
from reasonmill.engine.curate.decontaminate import Contamination, Evaluation, EvaluationItem, contaminated
from reasonmill.engine.curate.disguises import Disguiser, other_numbers
from reasonmill.engine.curate.embedding_model import encoder_missing
from reasonmill.engine.curate.embeddings import EmbeddingDecontaminator
from reasonmill.engine.curate.settings import CurateSettings, DecontaminateSettings, EmbeddingSettings
from reasonmill.engine.records import Message, Query
from reasonmill.kernels.corpus import Corpus

_SETTINGS = DecontaminateSettings()
_SEEDS = {"ci": (101, 102, 103), "node": tuple(range(101, 121))}
_EMBEDDED = {"ci": (60, 300), "node": (2000, 10_000)}  # items and clean queries that the rule embedding sees
_TIMED = 10_000  # written queries of 900 bytes: real ones of the sets are a third as long, and open-r1's cost less then
_TEXT_RULES = ("containment", "ngram")


def measure(scale: Scale) -> Iterator[Figure]:
    """Recall by kind, false flags by rule, other numbers, then the ratio of CPU times to open-r1's rule."""
    folder = os.environ.get("REASONMILL_EVALSETS")
    material = real_material(folder) if folder else written_material(2_000 if scale == "ci" else 20_000)
    items = [item for item in material.items if held_out(item.text)]
    clean = [text for text in material.clean if held_out(text)]
    lookup = _eight_grams([item.text for item in items])
    yield from _recall(items, clean, lookup, _SEEDS[scale])
    yield from _false_flags(items, clean, material.other_fields, lookup)
    yield _renumbered(material)
    yield from _by_embedding(items, clean, scale)
    yield from _speed(items)


def _recall(
    items: list[EvaluationItem], clean: list[str], lookup: frozenset[str], seeds: Sequence[int]
) -> Iterator[Figure]:
    words = sorted({word for text in clean[:2000] for word in text.split()})
    for kind in Disguiser.KINDS:
        found = theirs = planted = 0
        by_rule: Counter[str] = Counter()
        for seed in seeds if kind.startswith("edits") or kind == "wrapped" else seeds[:1]:
            disguiser = Disguiser(words, seed)
            copies = [disguiser.copy(item.text, kind) for item in items]
            flagged = contaminated([*clean, *copies], items, _SETTINGS)
            hits = [flagged[len(clean) + n] for n in range(len(copies)) if len(clean) + n in flagged]
            by_rule.update(hit.rule for hit in hits)
            found, planted = found + len(hits), planted + len(copies)
            theirs += sum(_any_shared(text, lookup) for text in copies)
        detail: dict[str, object] = {"open_r1": theirs / planted, "copies": planted, **by_rule}
        yield Figure(
            name=f"recall_{kind}", value=found / planted, unit="share", target=0.98, gated=True, tolerance=0.01,
            detail=detail,
        )  # fmt: skip


def _false_flags(
    items: list[EvaluationItem], clean: list[str], other_fields: list[str], lookup: frozenset[str]
) -> Iterator[Figure]:
    theirs = sum(_any_shared(text, lookup) for text in clean) / len(clean)
    flagged = contaminated(clean, items, _SETTINGS)
    for rule in _TEXT_RULES:
        share = sum(found.rule == rule for found in flagged.values()) / len(clean)
        yield Figure(name=f"clean_flagged_{rule}", value=share, unit="share", better="lower", target=0.001, gated=True,
                     tolerance=0.5, detail={"open_r1": theirs, "clean": len(clean)})  # fmt: skip
    if other_fields:
        found = contaminated(other_fields, items, _SETTINGS)
        theirs = sum(_any_shared(text, lookup) for text in other_fields) / len(other_fields)
        yield Figure(name="like_problems_flagged", value=len(found) / len(other_fields), unit="share", better="lower",
                     detail={"open_r1": theirs, "problems": len(other_fields), "flagged": _shown(found)})  # fmt: skip


def _shown(found: dict[int, Contamination]) -> list[str]:
    return [f"{one.item.set_name}/{one.item.id} {one.rule} {one.coverage:.2f}" for one in found.values()]


def _renumbered(material: Material) -> Figure:
    items = [EvaluationItem(id=str(n), text=text, set_name="items") for n, text in enumerate(material.renumbered)]
    settings = DecontaminateSettings(guard_set_share=1.0)
    copies = [other_numbers(text, seed) for seed, text in enumerate(material.renumbered)]
    found = contaminated(copies, items, settings)
    return Figure(name="recall_other_numbers", value=len(found) / len(copies), unit="share", target=0.98, gated=True,
                  tolerance=0.01, detail={"items": len(copies)})  # fmt: skip


def _by_embedding(items: list[EvaluationItem], clean: list[str], scale: Scale) -> Iterator[Figure]:
    missing = encoder_missing(EmbeddingSettings())
    if missing:
        yield Figure(name="embedding_not_run", value=1, unit="not installed", better="lower", detail={"why": missing})
        return
    num_items, num_clean = _EMBEDDED[scale]
    some = items[:num_items]
    words = sorted({word for text in clean[:2000] for word in text.split()})
    disguiser = Disguiser(words, 101)
    texts = clean[:num_clean]
    kinds = {kind: [disguiser.copy(item.text, kind) for item in some] for kind in Disguiser.KINDS if kind != "verbatim"}
    flags = asyncio.run(_flags(some, {"clean": texts, **kinds}))
    for kind in kinds:
        yield Figure(name=f"embedding_recall_{kind}", value=float(np.mean(flags[kind])), unit="share", gated=True,
                     tolerance=0.02, detail={"copies": len(some)})  # fmt: skip
    yield Figure(name="clean_flagged_embedding", value=float(np.mean(flags["clean"])), unit="share", better="lower",
                 target=0.001, gated=True, tolerance=0.5, detail={"clean": len(texts)})  # fmt: skip


async def _flags(items: list[EvaluationItem], groups: dict[str, list[str]]) -> dict[str, list[bool]]:
    settings = CurateSettings(embeddings=EmbeddingSettings(dtype="bfloat16"))
    flags = {}
    async with EmbeddingDecontaminator(items, settings) as decontaminator:
        for name, texts in groups.items():
            queries = [
                Query(id=str(n), messages=(Message(role="user", content=text),), category="math", source=name)
                for n, text in enumerate(texts)
            ]
            flags[name] = [reject is not None for reject in await decontaminator.check(queries)]
    return flags


def _speed(items: list[EvaluationItem]) -> Iterator[Figure]:
    writer = Writer(3)
    clean = [writer.query() for _ in range(_TIMED)]
    against = Evaluation(items, _SETTINGS)  # made once, as open-r1's table is
    lookup = _eight_grams([item.text for item in items])
    contestants: dict[str, Callable[[], object]] = {
        "ours": lambda: _contaminated(clean, against),
        "open_r1": lambda: [_any_shared(text, lookup) for text in clean],
    }
    timings = interleave(contestants, rounds=5, clock=process_time)
    detail = {
        "us_per_query": timings.best("ours") / len(clean) * 1e6,
        "open_r1_us_per_query": timings.best("open_r1") / len(clean) * 1e6,
        "bytes": float(np.mean([len(text.encode()) for text in clean])),
    }
    yield timings.figure("against_open_r1", "open_r1", "ours", target=40.0, **detail)


def _contaminated(texts: list[str], against: Evaluation) -> int:
    corpus = Corpus(texts, index=against.index, least_tokens=_SETTINGS.containment_tokens, num_threads=1)
    return len(against.contaminated(texts.__getitem__, corpus.matches, np.ones(len(texts), np.bool_)))


def _grams(text: str, n: int = 8) -> set[str]:
    words = text.lower().split()
    return {" ".join(words[at : at + n]) for at in range(len(words) - n + 1)}


def _eight_grams(items: Sequence[str]) -> frozenset[str]:
    return frozenset(gram for item in items for gram in _grams(item))


def _any_shared(text: str, lookup: frozenset[str]) -> bool:
    return not lookup.isdisjoint(_grams(text))
