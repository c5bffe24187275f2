"""Rows and files that nobody should send: named and counted, and no other row suffers."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from reasonmill.engine.cli import run_command
from reasonmill.engine.curate.files import curate_files
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings

LENIENT = CurateSettings(embeddings=EmbeddingSettings(enabled=False), max_unreadable_share=1.0)
GOOD = orjson.dumps({"id": "good", "prompt": "How much is 2 plus 40, and why?"})


def curated(tmp_path: Path, *lines: bytes, name: str = "q.jsonl") -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (tmp_path / name).write_bytes(b"\n".join(lines))
    counts = asyncio.run(curate_files([str(tmp_path / name)], [], str(tmp_path / "out"), LENIENT))
    removed = (tmp_path / "out" / "removed.jsonl").read_bytes().splitlines()
    assert counts["read"] == counts["kept"] + len(removed)
    return counts, [orjson.loads(line) for line in removed]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"prompt": "caf\xe9 au lait"}', "not JSON"),
        (b'{"prompt": "lone \\ud800 surrogate"}', "not JSON"),
        (b'{"prompt": "a\x00b"}', "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "not JSON"),
        (b'{"prompt": ' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b"}", "not JSON"),
        (b'{"prompt": "x", "test_case": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "test_case"),
        (b'{"prompt": ["not", "text"]}', "prompt is list"),
        (b'"only text"', "not a JSON object"),
        (b'{"prompt": "cut off in the mid', "not JSON"),
        (b"\xff\xfe\x00\x01", "not JSON"),
        (b'{"id": {"no": "name"}, "prompt": "x y z"}', "id"),
    ],
)
def test_a_line_that_is_no_query_is_named_with_its_cause(tmp_path: Path, line: bytes, error: str) -> None:
    counts, removed = curated(tmp_path, GOOD, line, GOOD.replace(b"good", b"two").replace(b"40", b"41"))
    assert counts["kept"] == 2
    (reject,) = removed
    assert (reject["stage"], reject["reason"]) == ("read", "unreadable_line")
    assert reject["evidence"]["place"].endswith("q.jsonl:2")
    assert error in reject["evidence"]["error"]


def test_a_zero_in_a_text_is_a_character_like_others(tmp_path: Path) -> None:
    line = orjson.dumps({"id": "zero", "prompt": "How much is 3 \x00 plus 9, and what is twice as much as that?"})
    counts, _ = curated(tmp_path, GOOD, line)
    assert counts["kept"] == 2
    kept = (tmp_path / "out" / "kept.jsonl").read_bytes().splitlines()
    assert orjson.loads(kept[1])["messages"][0]["content"].count("\x00") == 1


def test_lines_of_fifty_megabytes_are_read_and_longer_ones_are_named(tmp_path: Path) -> None:
    words = b"red green blue " * (50 * 2**20 // 15)
    long = b'{"id": "long", "prompt": "' + words + b'"}'
    counts, removed = curated(tmp_path, GOOD, long, b'{"prompt": "' + words[: 15 * 2**20] + words + b'"}')
    assert counts["kept"] == 2
    assert [row["evidence"]["error"] for row in removed] == [f"longer than {64 * 2**20} bytes"]


def test_identical_prompts_by_the_hundred_thousand_are_one(tmp_path: Path) -> None:
    same = orjson.dumps({"prompt": "Please say these very same words again"})
    given = [orjson.dumps({"id": f"{n}", "prompt": "And these are the other words here"}) for n in range(5_000)]
    counts, removed = curated(tmp_path, *([same] * 100_000), *given)
    assert counts["kept"] == 2
    assert counts["reasons"] == {"curate/exact_duplicate": 104_998}
    assert removed[0]["evidence"]["of"] == removed[0]["id"]


def test_files_without_a_query_give_files_without_one(tmp_path: Path) -> None:
    for content in ((b"",), (b"\n\n  \n",), (b"\xef\xbb\xbf",)):
        counts, removed = curated(tmp_path, *content)
        assert (counts["read"], removed) == (0, [])
        assert (tmp_path / "out" / "kept.jsonl").read_bytes() == b""


@pytest.mark.parametrize("flag", ["--queries", "--against", "--index", "--output-dir"])
def test_a_folder_for_a_file_or_a_file_for_a_folder_is_a_mistake_that_is_named(
    tmp_path: Path, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q.jsonl").write_bytes(GOOD)
    (tmp_path / "folder.jsonl").mkdir()
    paths = {"--queries": "q.jsonl", "--against": "q.jsonl", "--output-dir": "out", "--index": "index"}
    paths[flag] = "folder.jsonl" if flag in ("--queries", "--against") else "q.jsonl"
    arguments = [part for name, path in paths.items() for part in (name, str(tmp_path / path))]
    assert run_command(["curate", *arguments, "--set", "embeddings.enabled=false"]) == 2
    assert paths[flag] in capsys.readouterr().err


def test_two_calls_do_not_write_to_one_folder(tmp_path: Path) -> None:
    curated(tmp_path, GOOD)
    before = (tmp_path / "out" / "kept.jsonl").read_bytes()
    other = os.open(tmp_path / "out", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)  # what a call holds while it works
    with pytest.raises(ValueError, match=r"out' is in use by another curate"):
        curated(tmp_path, GOOD, GOOD)
    assert (tmp_path / "out" / "kept.jsonl").read_bytes() == before
    os.close(other)
    assert curated(tmp_path, GOOD, GOOD)[0]["read"] == 2


def test_a_manifest_that_is_json_of_another_form_is_damaged(tmp_path: Path) -> None:
    queries = tmp_path / "q.jsonl"
    queries.write_bytes(GOOD)
    (tmp_path / "index").mkdir()
    for content in (
        b"[]",
        b"{}",
        b"null",
        b'{"made_with": null, "segments": []}',
        b'{"made_with": {}, "segments": [1]}',
    ):
        (tmp_path / "index" / "manifest.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"manifest\.json' is damaged"):
            asyncio.run(curate_files([str(queries)], [], str(tmp_path / "out"), LENIENT, index=str(tmp_path / "index")))
