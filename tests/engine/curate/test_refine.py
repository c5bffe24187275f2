"""Behind the pass by text: semantic duplicates, a model that is asked, labels, shares. With a scripted model and a
stand-in encoder whose vectors are counts of words, in the processes that the real ones have.
"""

import asyncio
import random
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.curate import encoder_process, semantic
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.settings import (
    AskSettings,
    CurateSettings,
    EmbeddingSettings,
    FilterSettings,
    SemanticSettings,
    TagSettings,
)
from reasonmill.engine.teachers.settings import TeacherSettings

# vectors by the words of a text, in any order; "words" of two letters do not count
COUNTING_WORKER = """
import re, sys, zlib
import numpy as np, orjson
from reasonmill.engine.curate.embedding_frames import framed, read_frame
def vector(text):
    counts = np.zeros(256, np.float32)
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        counts[zlib.crc32(word.encode()) % 256] += 1
    return counts / max(1e-6, float(np.linalg.norm(counts)))
out = sys.stdout.buffer
out.write(framed(orjson.dumps({"dimension": 256, "identity": "counting", "device": "cpu"})))
out.flush()
while (request := read_frame(sys.stdin.buffer)) is not None:
    asked = orjson.loads(request)
    print("encoded", len(asked["texts"]), file=sys.stderr, flush=True)
    out.write(framed(orjson.dumps({"counts": [1] * len(asked["texts"])})))
    out.write(framed(np.array([vector(text) for text in asked["texts"]], np.float32).tobytes()))
    out.flush()
"""
BASE = "A gardener plants seventeen tulips along the northern wall before breakfast and waters them until the evening"
OTHER = "Which of the three merchants sold more barrels of olive oil in Genoa during the last winter of the war"


@pytest.fixture
def counting_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_process, "_COMMAND", ("-c", COUNTING_WORKER))


def shuffled(text: str, seed: int) -> str:
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return str(path)


def read(path: Path) -> list[dict]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def curated(folder: Path, rows: list[dict[str, object]], settings: CurateSettings) -> tuple[list[str], dict, dict]:
    """Ids kept, (reason, evidence) by id of those removed, and the counts."""
    counts = asyncio.run(curate_files([write(folder / "q.jsonl", rows)], [], str(folder / "out"), settings))
    removed = {row["id"]: (row["reason"], row["evidence"]) for row in read(folder / "out" / "removed.jsonl")}
    return [row["id"] for row in read(folder / "out" / "kept.jsonl")], removed, counts


SEMANTIC = CurateSettings(semantic=SemanticSettings(enabled=True, threshold=0.95, sources=("good",)))


@pytest.mark.usefixtures("counting_worker")
def test_of_queries_that_mean_the_same_the_one_with_priority_is_kept(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "prompt": shuffled(BASE, 1), "category": "other", "source": "bad"},
        {"id": "b", "prompt": shuffled(BASE, 2), "category": "other", "source": "good"},
        {"id": "c", "prompt": shuffled(BASE, 3), "category": "other", "source": "bad", "ground_truth": "17"},
        {"id": "d", "prompt": shuffled(OTHER, 1), "category": "other", "source": "bad"},
        {"id": "e", "prompt": shuffled(OTHER, 2), "category": "other", "source": "good"},
        {"id": "f", "prompt": "Something else entirely, about the moons of Jupiter", "category": "other"},
    ]
    kept, removed, counts = curated(tmp_path, rows, SEMANTIC)
    assert kept == ["c", "e", "f"]
    assert {id_: (reason, evidence["of"]) for id_, (reason, evidence) in removed.items()} == {
        "a": ("semantic_duplicate", "c"),
        "b": ("semantic_duplicate", "c"),
        "d": ("semantic_duplicate", "e"),
    }
    assert all(0.95 < evidence["cosine"] <= 1.0 for _, evidence in removed.values())
    assert counts["reasons"] == {"curate/semantic_duplicate": 3}
    again, _, _ = curated(tmp_path, rows[::-1], SEMANTIC)
    assert sorted(again) == kept


@pytest.mark.usefixtures("counting_worker")
def test_other_numbers_are_no_semantic_duplicates_where_the_guard_says_so(tmp_path: Path) -> None:
    def rows(category: str) -> list[dict[str, object]]:
        return [{"id": str(n), "prompt": f"{shuffled(BASE, n)} {n // 2} times", "category": category} for n in range(4)]

    assert curated(tmp_path, rows("math"), SEMANTIC)[0] == ["0", "2"]
    assert curated(tmp_path, rows("other"), SEMANTIC)[0] == ["0"]


@pytest.mark.usefixtures("counting_worker")
def test_what_was_encoded_once_is_not_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, object]] = [{"id": str(n), "prompt": shuffled(BASE, n), "category": "other"} for n in range(5)]
    embeddings = EmbeddingSettings(cache=str(tmp_path / "cache"))
    settings = CurateSettings(semantic=SEMANTIC.semantic, embeddings=embeddings)
    first = curated(tmp_path, rows, settings)
    monkeypatch.setattr(
        encoder_process, "_COMMAND", ("-c", COUNTING_WORKER.replace('asked["texts"]), file', "1 / 0), file"))
    )
    assert curated(tmp_path, rows, settings) == first


def script(folder: Path, answers: dict[str, list[str]]) -> AskSettings:
    path = folder / "script.jsonl"
    write(path, [{"query_id": id_, "responses": [{"text": t} for t in texts]} for id_, texts in answers.items()])
    return AskSettings(teacher=TeacherSettings(name="judge", kind="scripted", script=str(path)))


ROWS: list[dict[str, object]] = [
    {"id": "a", "prompt": "How many legs do seven spiders have?", "category": "math"},
    {"id": "b", "prompt": "As the text above says, who won the race?", "category": "other"},
    {"id": "c", "prompt": "小明有三个苹果，又买了两个，一共有几个？", "category": "math"},
    {"id": "d", "prompt": "Prove that  the primes\tare infinite. \n", "category": "math"},
]


def test_a_model_says_which_queries_are_incomplete_and_how_hard_the_others_are(tmp_path: Path) -> None:
    ask = script(
        tmp_path,
        {
            **{f"complete/{id_}": ['{"complete": true}'] for id_ in "ac"},
            "complete/b": ['{"complete": false}'],
            "complete/d": ["I do not know", "hm", "well"],
            "difficulty/a": ['{"difficulty": "very easy"}'],
            "difficulty/c": ["no object here", '{"difficulty": "easy"}'],
        },
    )
    settings = CurateSettings(
        filters=FilterSettings(ask_incomplete=True),
        tags=TagSettings(difficulty=True, language=True, length=True, keep={"difficulty:very easy": 0.0}),
        ask=ask,
    )
    kept, removed, counts = curated(tmp_path, ROWS, settings)
    assert kept == ["c", "d"]
    assert removed["b"] == ("incomplete", {"why": "judged", "by": "judge", "text": ROWS[1]["prompt"]})
    assert removed["a"] == ("downsampled_difficulty", {"label": "very easy", "kept_share": 0.0})
    rows = {row["id"]: row for row in read(tmp_path / "out" / "kept.jsonl")}
    assert rows["c"]["tags"] == {"difficulty": "easy", "language": "zh", "length": "short"}
    assert rows["d"]["tags"] == {"difficulty": "unknown", "language": "en", "length": "short"}
    assert rows["d"]["messages"][0]["content"] == ROWS[3]["prompt"]
    assert counts["tags"]["difficulty"] == {"easy": 1, "unknown": 1}
    assert counts["not_run"]["incomplete"] == {"3 replies could not be read": 1}
    (refusal, number), *_ = counts["not_run"]["difficulty"].items()
    assert refusal.startswith("refused: ")
    assert number == 1


def test_labels_by_the_text_need_no_model(tmp_path: Path) -> None:
    settings = CurateSettings(tags=TagSettings(language=True, keep={"language:zh": 0.0}))
    kept, removed, counts = curated(tmp_path, ROWS, settings)
    assert kept == ["a", "b", "d"]
    assert removed["c"][0] == "downsampled_language"
    assert counts["tags"] == {"language": {"en": 3}}
    assert "not_run" not in counts


def test_a_query_is_read_back_with_its_labels(tmp_path: Path) -> None:
    settings = CurateSettings(tags=TagSettings(language=True))
    curated(tmp_path, ROWS, settings)
    first = (tmp_path / "out" / "kept.jsonl").read_bytes()
    asyncio.run(curate_files([str(tmp_path / "out" / "kept.jsonl")], [], str(tmp_path / "two"), CurateSettings()))
    assert (tmp_path / "two" / "kept.jsonl").read_bytes() == first


@pytest.mark.usefixtures("counting_worker")
def test_a_search_in_a_process_of_its_own_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [shuffled(BASE, n) for n in range(4)] + [shuffled(OTHER, n) for n in range(4)]
    rows: list[dict[str, object]] = [
        {"id": str(n), "prompt": text, "category": "other"} for n, text in enumerate(texts)
    ]
    here = curated(tmp_path, rows, SEMANTIC)
    monkeypatch.setattr(semantic, "_SMALL", 0)
    assert curated(tmp_path, rows, SEMANTIC) == here
    assert here[0] == ["0", "4"]
