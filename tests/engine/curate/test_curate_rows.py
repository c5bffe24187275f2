"""Curation of files writes the same bytes, whoever reads the rows and wherever the output lies."""

import asyncio
import os
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate import reading
from reasonmill.engine.curate.decontaminate import Evaluation
from reasonmill.engine.curate.files import WRITTEN, curate_files
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.curate.settings import CurateSettings, EmbeddingSettings
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.records import Reject
from reasonmill.engine.store.readers import read_queries
from reasonmill.kernels import query_lines, suspects

SETTINGS = CurateSettings(embeddings=EmbeddingSettings(enabled=False), max_unreadable_share=1.0)
EXAM = "A clockmaker in Basel repairs 9 watches on Monday and 17 clocks until Friday. How many of both is that?"
LONG = "How many of the {} lanterns are left when “{}” of them were sold, and $\\frac{{1}}{{{}}}$ of the rest too?"
ROWS: list[object] = [
    *({"prompt": LONG.format(n, n // 2, n + 1)} for n in range(40)),
    *({"prompt": LONG.format(n, n // 2, n + 1).upper(), "category": "other"} for n in range(0, 40, 3)),
    *({"id": f"id-{n}", "messages": [{"role": "user", "content": f"Say this {n}\ntimes, please."}]} for n in range(9)),
    {"prompt": "{{question}}"},
    {"prompt": f"Solve this: {EXAM}"},
    {"prompt": "See https://example.com/page and do what it says there"},
    {"prompt": "caf\u00c3\u00a9 \u00c3\u00a9t\u00c3\u00a9 \u00c3\u00a0"},
    {"id": "id-3", "prompt": "another text under an id that was given before"},
    {"id": "id-4", "messages": [{"role": "user", "content": "Say this 4\ntimes, please."}]},
    {"prompt": 5},
    {"no key of ours": "a text"},
]
LINES = [orjson.dumps(row) for row in ROWS] + [
    b"{broken",
    b"",
    b'{"prompt": "a \\ud800 b"}',
    b'{"prompt": "x", "id": 1e3}',
]


def written(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in WRITTEN}


def test_native_and_python_rows_are_curated_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = len(LINES) // 2
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(LINES[:half]))
    (tmp_path / "b.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(b"\n".join(LINES[half:]) + b"\n"))
    (tmp_path / "exam.jsonl").write_bytes(orjson.dumps({"question": EXAM}))
    paths = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl.zst")]

    gave_up: list[bool] = []
    give_up = Spool.give_up
    monkeypatch.setattr(Spool, "give_up", lambda *of: gave_up.append(give_up(*of)) or gave_up[-1])

    def curate(name: str, index: bool = False) -> dict[str, bytes]:
        chosen = str(tmp_path / f"{name}-index") if index else None
        asyncio.run(curate_files(paths, [str(tmp_path / "exam.jsonl")], str(tmp_path / name), SETTINGS, index=chosen))
        return written(tmp_path / name)

    native = curate("native")
    assert gave_up == [True], "the spool's file became kept.jsonl"
    assert curate("indexed", index=True) == native
    assert curate("indexed", index=True) == native
    assert gave_up == [True, False, False], "an index asks for texts when all was written"
    with monkeypatch.context() as patch:
        patch.setattr(query_lines, "native_available", False)
        patch.setattr(suspects, "native_available", False)
        assert curate("python") == native
        assert curate("python-indexed", index=True) == native
    counts = orjson.loads(native["counts.json"])
    assert counts["reasons"] == {
        "curate/exact_duplicate": 15,
        "curate/incomplete": 1,
        "curate/unicode_ratio": 1,
        "curate/url": 1,
        "decontaminate/contaminated_containment": 1,
        "read/repeated_id": 1,
        "read/unreadable_line": 5,
    }


def test_kept_rows_go_where_a_link_points_to_and_never_over_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_bytes(b"\n".join(LINES))
    asyncio.run(curate_files([str(tmp_path / "q.jsonl")], [], str(tmp_path / "plain"), SETTINGS))
    expected = written(tmp_path / "plain")
    (tmp_path / "linked").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "linked" / "kept.jsonl").symlink_to(tmp_path / "elsewhere" / "kept.jsonl")
    for _ in range(2):
        asyncio.run(curate_files([str(tmp_path / "q.jsonl")], [], str(tmp_path / "linked"), SETTINGS))
        assert written(tmp_path / "linked") == expected
        assert (tmp_path / "linked" / "kept.jsonl").is_symlink()
    (tmp_path / "null").mkdir()
    (tmp_path / "null" / "kept.jsonl").symlink_to(os.devnull)
    asyncio.run(curate_files([str(tmp_path / "q.jsonl")], [], str(tmp_path / "null"), SETTINGS))
    assert not Path(os.devnull).is_file()
    assert (tmp_path / "null" / "removed.jsonl").read_bytes() == expected["removed.jsonl"]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 12), max_size=30), st.integers(1, 12), st.integers(1, 7), st.integers(1, 2))
def test_a_limit_ends_with_the_row_that_brings_the_last_id(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int], limit: int, batch: int, num_threads: int
) -> None:
    folder = tmp_path_factory.mktemp("limit")
    row_of = {number: b'{"id": "%d", "prompt": "row %d of them"}' % (number, number) for number in range(10)}
    (folder / "q.jsonl").write_bytes(b"\n".join(row_of.get(number, b"{broken") for number in rows))
    ids: list[str] = []
    num_rows = 0
    for item in read_queries([folder / "q.jsonl"]):
        num_rows += 1
        if isinstance(item, Reject):
            continue
        ids.append(item.id)
        if len(set(ids)) == limit:
            break
    chosen = CurateSettings(embeddings=EmbeddingSettings(enabled=False), num_threads=num_threads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BATCH", batch)
        with Reading(folder / "work", Evaluation([], chosen.decontaminate), chosen) as found:
            found.read([folder / "q.jsonl"], limit=limit)
            assert [found.spool.id(number) for number in range(len(found.spool))] == ids
            assert (found.num_rows, found.num_unreadable) == (num_rows, num_rows - len(ids))
