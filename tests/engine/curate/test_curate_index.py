"""The memory of earlier curations: months in turn give what one pass over all gives, and nothing torn is used."""

import asyncio
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate.decontaminate import Evaluation
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.index import Index
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings

BY_TEXT = CurateSettings(embeddings=EmbeddingSettings(enabled=False))
WORDS = [f"{a}{b}" for a in ("stone", "river", "cloud", "ember", "field") for b in ("s", "ing", "ed", "er")]


def family(rng: random.Random, size: int) -> list[str]:
    """Texts of which neighbours are alike."""
    words = rng.choices(WORDS, k=60)
    texts = []
    for _ in range(size):
        words = list(words)
        words[rng.randrange(60)] = rng.choice(WORDS)
        texts.append(" ".join(words))
    return texts


def months(rng: random.Random, count: int) -> list[list[dict[str, str]]]:
    texts = [text for _ in range(8) for text in family(rng, rng.randrange(1, 6))]
    texts += [rng.choice(texts).upper() for _ in range(4)] + ["too short", "Name two rivers 1 + 1"] * 2
    rng.shuffle(texts)
    rows: list[list[dict[str, str]]] = [[] for _ in range(count)]
    for number, text in enumerate(texts):
        rows[rng.randrange(count)].append(
            {"id": f"{rng.getrandbits(32):08x}{number}", "prompt": text, "category": "math"}
        )
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def curated(tmp_path: Path, name: str, rows: list[dict[str, str]], index: Path | None, **kwargs: Any) -> Path:
    out = tmp_path / name
    queries = write(tmp_path / f"{name}.jsonl", rows)
    asyncio.run(curate_files([queries], [], str(out), BY_TEXT, index=None if index is None else str(index), **kwargs))
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32), st.integers(2, 4))
def test_months_in_turn_keep_what_one_pass_over_all_of_them_keeps(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("months")
    parts = months(random.Random(seed), count)
    for number, rows in enumerate(parts):  # ids that claim by month, so that one pass has the same order
        for row in rows:
            row["id"] = f"{number}-{row['id']}"
    whole = curated(tmp_path, "whole", [row for rows in parts for row in rows], None)
    kept, removed, variants = [], [], []
    for number, rows in enumerate(parts):
        out = curated(tmp_path, f"month{number}", rows, tmp_path / "index")
        kept += lines(out / "kept.jsonl")
        removed += lines(out / "removed.jsonl")
        variants += lines(out / "variants.jsonl")
    strip = lambda rows: sorted((row["id"], str(row.get("evidence", row.get("of")))) for row in rows)  # noqa: E731
    assert [row["id"] for row in kept] == [row["id"] for row in lines(whole / "kept.jsonl")]
    assert strip(removed) == strip(lines(whole / "removed.jsonl"))
    assert strip(variants) == strip(lines(whole / "variants.jsonl"))


def test_what_was_kept_earlier_wins_over_a_smaller_id(tmp_path: Path) -> None:
    text = " ".join(family(random.Random(1), 1))
    curated(tmp_path, "may", [{"id": "z", "prompt": text}], tmp_path / "index")
    june = curated(
        tmp_path, "june", [{"id": "a", "prompt": text + " please"}, {"id": "b", "prompt": text}], tmp_path / "index"
    )
    assert lines(june / "kept.jsonl") == []
    assert {row["evidence"]["of"] for row in lines(june / "removed.jsonl")} == {"z"}


def test_a_month_that_is_made_again_finds_what_it_found(tmp_path: Path) -> None:
    first, second = months(random.Random(2), 2)
    curated(tmp_path, "one", first, tmp_path / "index")
    out = curated(tmp_path, "two", second, tmp_path / "index")
    written = {path.name: path.read_bytes() for path in (*out.iterdir(), *(tmp_path / "index").iterdir())}
    for name, rows in (("two", second), ("one", first), ("two", second)):
        out = curated(tmp_path, name, rows, tmp_path / "index")
    assert {path.name: path.read_bytes() for path in (*out.iterdir(), *(tmp_path / "index").iterdir())} == written


def test_a_segment_that_no_manifest_lists_is_written_over(tmp_path: Path) -> None:
    first, second = months(random.Random(3), 2)
    curated(tmp_path, "one", first, tmp_path / "index")
    for name in ("000002.prints", "000002.texts", "000003.prints.writing"):
        (tmp_path / "index" / name).write_bytes(b"half of a segment")
    curated(tmp_path, "two", second, tmp_path / "index")
    clean = tmp_path / "clean"
    for name, rows in (("one", first), ("two", second)):
        curated(clean, name, rows, clean / "index")
    for name in ("manifest.json", "000002.prints", "000002.texts"):
        assert (tmp_path / "index" / name).read_bytes() == (clean / "index" / name).read_bytes()


@pytest.mark.parametrize("name", ["000001.prints", "000001.texts", "manifest.json"])
def test_a_file_that_is_cut_off_altered_or_gone_is_named(tmp_path: Path, name: str) -> None:
    rows = months(random.Random(4), 1)[0]
    curated(tmp_path, "one", rows, tmp_path / "index")
    path = tmp_path / "index" / name
    content = path.read_bytes()
    damages = [content[:-7], content[: len(content) // 2] + b"#" + content[len(content) // 2 + 1 :], b"", None]
    for damaged in damages:
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        again = [{**row, "id": row["id"] + "x"} for row in rows]
        with pytest.raises(ValueError, match=r"index.*(000001|manifest\.json)"):
            curated(tmp_path, "two", again, tmp_path / "index")
        assert not (tmp_path / "two" / "kept.jsonl").exists()
    path.write_bytes(content)
    curated(tmp_path, "two", again, tmp_path / "index")


@pytest.mark.parametrize(
    ("key", "value"),
    [("algorithm", "sha1/0"), ("seed", 7), ("ngram", 4), ("tokenizer", "spaces/1"), ("normaliser", "0" * 16)],
)
def test_an_index_of_another_making_is_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    curated(tmp_path, "one", [{"id": "a", "prompt": "one two three four five six"}], tmp_path / "index")
    path = tmp_path / "index" / "manifest.json"
    manifest = orjson.loads(path.read_bytes())
    manifest["made_with"][key] = value
    path.write_bytes(orjson.dumps(manifest))
    with pytest.raises(ValueError, match=rf"made with {key} "):
        curated(tmp_path, "two", [{"id": "b", "prompt": "other"}], tmp_path / "index")


def test_a_call_that_fails_is_not_remembered(tmp_path: Path) -> None:
    rows = months(random.Random(7), 1)[0]
    broken = [*rows, *({"no": "prompt"} for _ in rows)]
    with pytest.raises(ValueError, match="rows cannot be read"):
        curated(tmp_path, "broken", broken, tmp_path / "index")
    mended = curated(tmp_path, "mended", [*rows, {"id": "more", "prompt": "And one more of these"}], tmp_path / "index")
    alone = curated(tmp_path, "alone", [*rows, {"id": "more", "prompt": "And one more of these"}], None)
    kept, expected = ([row["id"] for row in lines(out / "kept.jsonl")] for out in (mended, alone))
    assert kept == expected


def test_an_index_is_for_one_process_at_a_time(tmp_path: Path) -> None:
    with Index(tmp_path / "index"), pytest.raises(ValueError, match="in use by another process"):
        curated(tmp_path, "one", [{"id": "a", "prompt": "text"}], tmp_path / "index")


def test_a_query_takes_at_most_250_bytes_beside_its_text(tmp_path: Path) -> None:
    texts = family(random.Random(5), 400)
    rows = [{"id": f"{n:032x}", "prompt": f"{n} {text}", "category": "math"} for n, text in enumerate(texts)]
    curated(tmp_path, "one", rows, tmp_path / "index")
    kept = lines(tmp_path / "one" / "kept.jsonl")
    assert len(kept) == 400
    assert (tmp_path / "index" / "000001.prints").stat().st_size <= 250 * 400
    with Index(tmp_path / "index") as index:
        assert index.num_queries == 400


def test_only_what_may_be_alike_is_looked_at_again(tmp_path: Path) -> None:
    rng = random.Random(6)
    rows = [
        {"id": f"{n:04}", "prompt": " ".join(rng.choices([f"w{n}" for n in range(5000)], k=60))} for n in range(300)
    ]
    curated(tmp_path, "one", rows, tmp_path / "index")
    new = [{"id": "new", "prompt": rows[7]["prompt"] + " now"}]
    with (
        Index(tmp_path / "index") as index,
        Reading(tmp_path / "work", Evaluation([], BY_TEXT.decontaminate), BY_TEXT) as reading,
    ):
        reading.read([write(tmp_path / "new.jsonl", new)])
        assert index.known(reading.first_pass.prints, "new").ids == [b"0007"]
