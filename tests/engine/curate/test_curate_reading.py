"""Files are read in batches, in memory that does not grow with their texts, and batches change nothing."""

import asyncio
import random
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate import reading
from reasonmill.engine.curate.curator import curate
from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.files import WRITTEN, curate_files
from reasonmill.engine.curate.id_order import Strings, has_id, id_order
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings
from reasonmill.engine.store.readers import read_queries

BY_TEXT = CurateSettings(embeddings=EmbeddingSettings(enabled=False))
EXAM = "A clockmaker in Basel repairs 9 watches on Monday and 17 clocks until Friday. How many of both is that?"
WORDS = ("bean", "mill", "goat", "brother", "row", "sunday", "carry", "weight", "pick", "plant", "old", "two", "rest")


def corpus(seed: int) -> list[bytes]:
    """Lines of all kinds: alike, equal, repeated ids, contaminated, filtered, unreadable."""
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    for _ in range(12):
        words = rng.choices(WORDS, k=40)
        for _ in range(rng.randrange(1, 5)):
            words = list(words)
            words[rng.randrange(40)] = rng.choice(WORDS)
            rows.append({"prompt": " ".join(words), "category": rng.choice(["math", "other"])})
    rows += [{"id": f"{rng.getrandbits(40):x}", **row} for row in rng.sample(rows, 5)]
    rows += [*rng.sample(rows, 4), {"prompt": f"Solve: {EXAM}"}, {"prompt": "See https://example.com/x and solve"}]
    rows += [{"id": "same", "prompt": "Name two rivers."}, {"id": "same", "prompt": "Name two lakes."}]
    lines = [orjson.dumps(row) for row in rows] + [b"{broken"]
    rng.shuffle(lines)
    return lines


def curated(folder: Path, lines: list[bytes], name: str, **options: object) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    (folder / "queries.jsonl").write_bytes(b"\n".join(lines))
    (folder / "exam.jsonl").write_bytes(orjson.dumps({"id": "x1", "question": EXAM}))
    chosen = CurateSettings(embeddings=EmbeddingSettings(enabled=False), max_unreadable_share=1.0, **options)  # type: ignore[arg-type]
    files = [str(folder / "queries.jsonl")], [str(folder / "exam.jsonl")]
    asyncio.run(curate_files(*files, str(folder / name), chosen))
    return {written: (folder / name / written).read_bytes() for written in WRITTEN}


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 3))
def test_batches_threads_and_restarts_change_no_byte(
    tmp_path_factory: pytest.TempPathFactory, seed: int, batch: int, num_threads: int
) -> None:
    folder, lines = tmp_path_factory.mktemp("batches"), corpus(seed)
    whole = curated(folder, lines, "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BATCH", batch)
        assert curated(folder, lines, "batches", num_threads=num_threads) == whole
        patch.setattr(reading, "BATCH_CHARACTERS", 100)
        assert curated(folder, lines, "batches", num_threads=num_threads) == whole


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32))
def test_files_are_decided_on_as_queries_in_memory_are(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("memory")
    written = curated(folder, corpus(seed), "out")
    queries = {}
    for item in read_queries([folder / "queries.jsonl"]):
        queries.setdefault(getattr(item, "id", None), item)
    queries.pop(None)
    expected = curate(list(queries.values()), [EvaluationItem(id="x1", text=EXAM, set_name="exam")], BY_TEXT)
    kept = [orjson.loads(line)["id"] for line in written["kept.jsonl"].splitlines()]
    assert kept == [query.id for query in expected.kept]
    removed = [orjson.loads(line) for line in written["removed.jsonl"].splitlines()]
    by_decision = [(row["id"], row["reason"], row["evidence"]) for row in removed]
    assert by_decision[-len(expected.removed) :] == [(r.query_id, r.reason, r.evidence) for r in expected.removed]
    variants = {row["id"]: row["of"] for row in map(orjson.loads, written["variants.jsonl"].splitlines())}
    assert variants == expected.variants


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_only_the_order_of_what_is_kept(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rng: random.Random
) -> None:
    folder, lines = tmp_path_factory.mktemp("order"), [line for line in corpus(seed) if b'"same"' not in line]
    one = curated(folder, lines, "one")
    rng.shuffle(lines)
    other = curated(folder, lines, "other")
    assert sorted(one["kept.jsonl"].splitlines()) == sorted(other["kept.jsonl"].splitlines())


@given(st.lists(st.text(max_size=20) | st.text("ab", max_size=12).map("source/row-".__add__), max_size=40))
def test_ids_are_ordered_as_strings_are(ids: list[str]) -> None:
    parts = [id_.encode("utf-8", "surrogatepass") for id_ in ids]
    strings = Strings(content=b"".join(parts), ends=np.cumsum([0, *map(len, parts)]).astype(np.int64))
    order, first_with = id_order(strings)
    assert order.tolist() == sorted(range(len(ids)), key=lambda index: (ids[index], index))
    assert first_with.tolist() == [ids.index(id_) for id_ in ids]
    for wanted in ("", "a", *ids):
        assert has_id(strings, order, wanted.encode("utf-8", "surrogatepass")) == (wanted in ids)


def test_what_was_set_aside_is_gone_at_the_end_even_of_a_failure(tmp_path: Path) -> None:
    curated(tmp_path, corpus(1), "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(WRITTEN)
    (tmp_path / "bad.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="expected an array"):
        asyncio.run(curate_files([str(tmp_path / "bad.json")], [], str(tmp_path / "out"), BY_TEXT))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(WRITTEN)


def test_several_inputs_and_evaluation_sets_are_one(tmp_path: Path) -> None:
    lines = [orjson.dumps({"prompt": f"How many are {n} and {n * n} boxes?"}) for n in range(200)]
    whole = curated(tmp_path, lines, "whole")
    for name, part in (("a", lines[:80]), ("b", []), ("c", lines[80:])):
        (tmp_path / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in part))
    (tmp_path / "other.jsonl").write_bytes(orjson.dumps({"question": "How many are 3 and 9 boxes?"}))
    paths = [str(tmp_path / f"{name}.jsonl") for name in "abc"]
    sets = [str(tmp_path / "exam.jsonl"), str(tmp_path / "other.jsonl")]
    counts = asyncio.run(curate_files(paths, sets[:1], str(tmp_path / "parts"), BY_TEXT))
    found = [orjson.loads(line)["id"] for line in (tmp_path / "parts" / "kept.jsonl").read_bytes().splitlines()]
    assert found == [orjson.loads(line)["id"] for line in whole["kept.jsonl"].splitlines()]
    assert counts["read"] == 200
    counts = asyncio.run(curate_files(paths, sets, str(tmp_path / "parts"), BY_TEXT))
    assert counts["reasons"] == {"decontaminate/contaminated_containment": 1}


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "q.jsonl").write_bytes(b"".join(orjson.dumps({"prompt": f"row {n}"}) + b"\n" for n in range(5000)))
    asyncio.run(curate_files([str(tmp_path / "q.jsonl")], [], str(tmp_path / "out"), BY_TEXT, on_progress=told.append))
    assert told[:2] == ["read 2,048 rows", "read 4,096 rows"]
    assert told[-1] == "deciding on 5,000 queries"
