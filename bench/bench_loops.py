"""Loop breaker on real traces: looping answers caught, tokens saved, clean ones aborted, and its cost per token.

The traces are JSONL files of the folder that REASONMILL_TRACES names (fields response, or thinking and output); they
are not part of the project. An answer counts as looping when its last third is nearly nothing new: of its word 8-grams
under 15 % are met for the first time in the answer. That reference reads the whole answer, from its end, and shares no
code with the detector. Texts written here, every other one a
loop, are measured always.
"""

import gzip
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.teachers.loop_breaker import Break, LoopBreaker
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings

FOLDER_VARIABLE = "REASONMILL_TRACES"
CHARACTERS_PER_TOKEN = 3.6  # of these traces under Qwen's vocabulary, roughly
_NGRAM = 8
_NEW_SHARE = 0.15
_SHORTEST = 3000  # characters: shorter answers loop too little to matter


def measure(scale: Scale) -> Iterator[Figure]:
    """Shares over written texts, then over all traces found; the cost on the longest clean ones."""
    texts = list(written())
    yield from _figures("written", texts)
    if os.environ.get(FOLDER_VARIABLE):
        texts = list(read_traces(Path(os.environ[FOLDER_VARIABLE])))
        if not texts:
            raise ValueError(f"{FOLDER_VARIABLE}: {os.environ[FOLDER_VARIABLE]!r} holds no traces/*.jsonl.gz")
        yield from _figures("traces", texts)
    yield cost(sorted((text for text in texts if not loops(text)), key=len)[-50 if scale == "ci" else -500 :])


def _figures(source: str, texts: list[str]) -> Iterator[Figure]:
    looping = [text for text in texts if loops(text)]
    clean = [text for text in texts if not loops(text)]
    caught = [(text, broken) for text in looping if (broken := run(text)) is not None]
    saved = sum(len(text) - broken.keep for text, broken in caught)
    reasons = Counter(broken.finish_reason for text in clean if (broken := run(text)) is not None)
    detail: dict[str, object] = {"answers": len(texts), "looping": len(looping), "clean": len(clean)}
    yield Figure(
        name=f"{source}_looping_caught",
        value=len(caught) / max(1, len(looping)),
        unit="share",
        target=0.9,
        gated=True,
        tolerance=0.0,
        detail=detail | {"caught": len(caught)},
    )
    yield Figure(
        name=f"{source}_looping_tokens_saved",
        value=saved / max(1, sum(map(len, looping))),
        unit="share",
        gated=True,
        detail=detail | {"tokens": round(saved / CHARACTERS_PER_TOKEN)},
    )
    yield Figure(
        name=f"{source}_false_aborts",
        value=reasons["repetition"],
        unit="answers",
        better="lower",
        target=0.0,
        gated=True,
        tolerance=0.0,
        detail=detail,
    )
    yield Figure(
        name=f"{source}_clean_cut_for_structure",
        value=reasons.total() - reasons["repetition"],
        unit="answers",
        better="lower",
        detail=detail,
    )


def run(text: str) -> Break | None:
    """What the breaker makes of an answer that comes in pieces of a token or so."""
    breaker = LoopBreaker(LoopBreakerSettings())
    for start in range(0, len(text), 4):
        broken = breaker.feed(text[start : start + 4])
        if broken is not None:
            return broken
    return None


def loops(text: str) -> bool:
    """The reference: whether the last third of an answer holds next to nothing new."""
    words = text.split() if " " in text else list(text)
    if len(text) < _SHORTEST or len(words) < 3 * _NGRAM:
        return len(text) >= _SHORTEST
    seen: set[tuple[str, ...]] = set()
    last_third = 2 * len(words) // 3
    new = 0
    for at in range(len(words) - _NGRAM):
        gram = tuple(words[at : at + _NGRAM])
        new += at >= last_third and gram not in seen
        seen.add(gram)
    return new < _NEW_SHARE * (len(words) - _NGRAM - last_third)


def cost(texts: list[str]) -> Figure:
    """CPU time per token of clean text, in the pieces of a stream."""
    began = time.process_time()
    for text in texts:
        run(text)
    seconds = time.process_time() - began
    tokens = sum(map(len, texts)) / CHARACTERS_PER_TOKEN
    return Figure(name="cost_per_token", value=1e6 * seconds / max(1.0, tokens), unit="µs", better="lower")


def read_traces(folder: Path) -> Iterator[str]:
    """Answers of every `traces/*.jsonl.gz` and `math/*.jsonl.gz` under the folder."""
    for path in sorted([*folder.glob("traces/*.jsonl.gz"), *folder.glob("math/*.jsonl.gz")]):
        with gzip.open(path, "rb") as lines:
            for line in lines:
                row = orjson.loads(line)
                if row.get("output") is not None:
                    yield f"<think>{row['thinking']}</think>{row['output']}"
                elif row.get("response"):
                    yield row["response"]


def written() -> Iterator[str]:
    """Texts of random words, every other one ending in a loop of 1 to 1,000 words."""
    draw = random.Random(7)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(2000)]
    for number in range(200):
        text = " ".join(draw.choices(words, k=draw.randint(500, 4000)))
        if number % 2:
            body = " ".join(draw.choices(words, k=int(10 ** draw.uniform(0, 3)))) + " "
            text += " " + body * (1 + 60_000 // len(body))
        yield text
