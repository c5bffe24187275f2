"""`reasonmill curate`, from files to files."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reasonmill.engine.curate import files
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings

BY_TEXT = CurateSettings(embeddings=EmbeddingSettings(enabled=False))
EXAM = "A clockmaker in Basel repairs 9 watches on Monday and 17 clocks until Friday. How many of both is that?"


def write(path: Path, *rows: object) -> str:
    path.write_bytes(b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows))
    return str(path)


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def curated(tmp_path: Path, *rows: object, settings: CurateSettings = BY_TEXT, **kwargs: Any) -> dict[str, Any]:
    queries = write(tmp_path / "queries.jsonl", *rows)
    exam = write(tmp_path / "exam.jsonl", {"id": "x1", "question": EXAM})
    return asyncio.run(curate_files([queries], [exam], str(tmp_path / "out"), settings, **kwargs))


def questions(count: int) -> list[dict[str, str]]:
    return [{"prompt": f"How much is {n} plus {n * n}?"} for n in range(count)]


def test_every_row_is_in_one_of_the_two_files_and_counted(tmp_path: Path) -> None:
    repeated = {"id": "same", "prompt": "Name two rivers of Spain."}
    rows = [
        *questions(200),
        b"{not json",
        {"prompt": EXAM},
        {"prompt": "See https://example.com/x please"},
        repeated,
        repeated,
        {"id": "same", "prompt": "Name two rivers of France."},
    ]
    counts = curated(tmp_path, *rows, category="math")
    kept, removed = read(tmp_path / "out" / "kept.jsonl"), read(tmp_path / "out" / "removed.jsonl")
    assert counts == orjson.loads((tmp_path / "out" / "counts.json").read_bytes())
    assert counts == {
        "read": 206,
        "kept": 201,
        "removed": 5,
        "reasons": {
            "curate/exact_duplicate": 1,
            "curate/url": 1,
            "decontaminate/contaminated_containment": 1,
            "read/repeated_id": 1,
            "read/unreadable_line": 1,
        },
    }
    assert len(kept) == 201
    assert kept[0]["messages"] == [{"role": "user", "content": "How much is 0 plus 0?"}]
    assert kept[0]["category"] == "math"
    assert [sorted(row) for row in removed] == [["evidence", "id", "reason", "stage"]] * 5
    by_reason = {row["reason"]: row for row in removed}
    assert by_reason["unreadable_line"]["evidence"]["place"].endswith("queries.jsonl:201")
    assert by_reason["contaminated_containment"]["evidence"]["evaluation_set"] == "exam"
    assert by_reason["repeated_id"]["evidence"] == {
        "place": f"{tmp_path / 'queries.jsonl'}:206",
        "first": f"{tmp_path / 'queries.jsonl'}:204",
        "prompt": "Name two rivers of France.",
    }


def test_an_id_of_another_file_is_named_with_both_places(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", b"{broken", b"", {"id": 7, "prompt": "Name a river of Peru."}, b"")
    two = tmp_path / "two.parquet"
    pq.write_table(pa.Table.from_pylist([{"id": f"{n}", "question": f"Name lake {n} of Peru."} for n in range(9)]), two)
    lenient = CurateSettings(embeddings=BY_TEXT.embeddings, max_unreadable_share=0.5)
    asyncio.run(curate_files([one, str(two)], [], str(tmp_path / "out"), lenient))
    unreadable, repeated = read(tmp_path / "out" / "removed.jsonl")
    assert unreadable["evidence"]["place"] == f"{one}:1"
    assert repeated["evidence"] == {"place": f"{two}:8", "first": f"{one}:3", "prompt": "Name lake 7 of Peru."}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        curated(tmp_path, *questions(50), {"prompt": EXAM})
        contents.append(
            [(tmp_path / "out" / name).read_bytes() for name in ("kept.jsonl", "removed.jsonl", "counts.json")]
        )
    assert contents[0] == contents[1]


def test_what_was_kept_can_be_curated_again(tmp_path: Path) -> None:
    curated(tmp_path, *questions(50))
    kept = (tmp_path / "out" / "kept.jsonl").read_bytes()
    counts = asyncio.run(curate_files([str(tmp_path / "out" / "kept.jsonl")], [], str(tmp_path / "again"), BY_TEXT))
    assert counts["removed"] == 0
    assert (tmp_path / "again" / "kept.jsonl").read_bytes() == kept


def test_too_many_unreadable_rows_are_an_error_that_shows_the_first(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 of 101 rows cannot be read.*queries\.jsonl:100: not JSON"):
        curated(tmp_path, *questions(99), b"{", b"[]")
    assert len(read(tmp_path / "out" / "removed.jsonl")) == 2, "what is wrong can be looked up"
    curated(tmp_path, *questions(199), b"{", b"[]", settings=BY_TEXT)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        asyncio.run(curate_files([str(tmp_path / "none.jsonl")], [], str(tmp_path / "out"), BY_TEXT))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model", "profile"])
def test_a_model_or_profile_that_is_named_and_is_none_is_a_mistake_before_anything_is_read(
    tmp_path: Path, name: str
) -> None:
    embeddings = EmbeddingSettings(**{name: str(tmp_path / "none")})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"embeddings\.{name}: '.*none'"):
        curated(tmp_path, *questions(5), settings=CurateSettings(embeddings=embeddings))
    assert not (tmp_path / "out").exists()


def test_without_an_encoder_the_text_rules_run_and_the_counts_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "encoder_missing", lambda settings: "the package sentence-transformers is not installed")
    counts = curated(tmp_path, *questions(120), {"prompt": EXAM}, settings=CurateSettings())
    assert counts["not_run"] == {"embedding": "the package sentence-transformers is not installed"}
    assert counts["reasons"] == {"decontaminate/contaminated_containment": 1}
