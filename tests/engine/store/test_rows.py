"""Readers: every format, and a bad row costs no other."""

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.records import Query, Reject
from reasonmill.engine.store.readers import query_from_json, query_to_json, read_queries
from reasonmill.engine.store.rows import read_rows

ROWS = [{"prompt": "What is 2 + 3?", "ground_truth": "5"}, {"prompt": "Naïve 数学?", "category": "math"}]


def write_each_format(folder):
    lines = b"".join(orjson.dumps(row) + b"\n" for row in ROWS)
    (folder / "a.jsonl").write_bytes(lines)
    (folder / "a.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(lines))
    (folder / "a.json").write_bytes(orjson.dumps(ROWS))
    pq.write_table(pa.Table.from_pylist([{"prompt": r["prompt"]} for r in ROWS]), folder / "a.parquet")
    return [folder / name for name in ("a.jsonl", "a.jsonl.zst", "a.json", "a.parquet")]


def test_every_format_gives_the_same_queries(tmp_path):
    for path in write_each_format(tmp_path):
        assert [q.prompt for q in read_queries([path])] == [row["prompt"] for row in ROWS], path.name


def test_a_bad_row_is_a_reject_with_its_line_and_the_rest_is_unharmed(tmp_path):
    path = tmp_path / "q.jsonl"
    path.write_bytes(
        b'{"prompt": "one?"}\n{"prompt": \n[1]\n{"answer": "no key"}\n{"prompt": 7}\n\n'
        b'{"prompt": "x", "category": "algebra"}\n{"messages": [{"role": "robot", "content": "x"}]}\n'
        b'{"prompt": "bad \xff utf8"}\n{"prompt": "two?"}'
    )
    items = list(read_queries([path]))
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [item.prompt for item in items if isinstance(item, Query)] == ["one?", "two?"]
    assert [r.evidence["place"].rsplit(":", 1)[1] for r in rejects] == ["2", "3", "4", "5", "7", "8", "9"]
    assert all(r.reason == "unreadable_line" and r.evidence["error"] for r in rejects)


FRAMES = {
    "one frame": lambda lines: zstandard.ZstdCompressor().compress(lines),
    "with a checksum": lambda lines: zstandard.ZstdCompressor(write_checksum=True).compress(lines),
    "of unknown size": lambda lines: zstandard.ZstdCompressor(write_content_size=False).compress(lines),
    "runs of one byte": lambda lines: zstandard.ZstdCompressor().compress(lines + b"\n" * 400_000),
    "behind a skippable frame": lambda lines: (
        b"\x53\x2a\x4d\x18\x05\0\0\0hello" + zstandard.ZstdCompressor().compress(lines)
    ),
}


@pytest.mark.parametrize("frames", FRAMES)
def test_a_compressed_file_that_was_cut_off_anywhere_is_an_error_that_names_it(tmp_path, frames):
    path = tmp_path / "q.jsonl.zst"
    lines = b"".join(orjson.dumps({"prompt": f"question {i} {i * i}"}) + b"\n" for i in range(5000))
    whole = FRAMES[frames](lines)
    path.write_bytes(whole)
    assert sum(1 for _ in read_rows(path)) == 5000
    between_frames = 13 if "skippable" in frames else 0
    for size in {1, 5, len(whole) // 3, len(whole) - 20, len(whole) - 1, *range(6, 40)} - {between_frames}:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"q\.jsonl\.zst' is (cut off|not zstd)"):
            list(read_rows(path))
    path.write_bytes(whole + b"something else")
    with pytest.raises(ValueError, match=f"is not zstd at byte {len(whole)}"):
        list(read_rows(path))


def test_a_damaged_compressed_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "q.jsonl.zst"
    lines = b"".join(orjson.dumps({"prompt": f"question {i} {i * i}"}) + b"\n" for i in range(20_000))
    content = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(lines))
    content[-1] ^= 1  # of the checksum
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"q\.jsonl\.zst': the compressed stream breaks"):
        list(read_rows(path))


def test_rows_that_no_journal_can_hold_are_rejects(tmp_path):
    deep = b'{"prompt": "deep?", "test_case": ' + b'{"a":' * 500 + b"1" + b"}" * 501
    deeper = b'{"prompt": "deeper?", "ground_truth": ' + b"[" * 1000 + b"]" * 1000 + b"}"
    (tmp_path / "q.jsonl").write_bytes(deep + b"\n" + deeper + b'\n{"prompt": "fine?"}\n')
    items = list(read_queries([tmp_path / "q.jsonl"]))
    assert [isinstance(item, Reject) for item in items] == [True, True, False]
    assert "test_case is no JSON" in items[0].evidence["error"]
    pq.write_table(
        pa.Table.from_pylist([{"prompt": "bytes?", "test_case": {"input": b"\xff"}}]), tmp_path / "q.parquet"
    )
    (reject,) = read_queries([tmp_path / "q.parquet"])
    assert "test_case is no JSON" in reject.evidence["error"]


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "q.parquet"
    pq.write_table(pa.Table.from_pylist([{"prompt": f"question {i}"} for i in range(5000)]), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[200:400] = b"x" * 200
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"q\.parquet' is (damaged|not parquet)"):
        list(read_rows(path))


def test_the_released_conversations_are_read_with_their_info(tmp_path):
    path = tmp_path / "r.jsonl"
    info = {"source": "s", "category": "math", "ground_truth": "4", "test_case": None, "instruction_constrain": None}
    turns = [{"from": "human", "value": "2+2?", "info": info}, {"from": "assistant", "value": "4", "info": info}]
    path.write_bytes(orjson.dumps({"system": "", "conversations": turns}) + b"\n")
    (query,) = read_queries([path])
    assert (query.prompt, query.category, query.source, query.ground_truth) == ("2+2?", "math", "s", "4")


def test_an_unknown_type_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "q.csv").write_text("a")
    with pytest.raises(ValueError, match=r"q\.csv"):
        list(read_rows(tmp_path / "q.csv"))
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        list(read_rows(tmp_path / "none.jsonl"))
    (tmp_path / "q.parquet").write_bytes(b"not parquet")
    with pytest.raises(ValueError, match="is not parquet"):
        list(read_rows(tmp_path / "q.parquet"))


@given(st.text(min_size=1), st.one_of(st.none(), st.text()))
def test_a_query_survives_its_json(prompt, gold):
    query = query_from_json({"prompt": prompt, "ground_truth": gold, "category": "math", "source": "t"})
    assert query_from_json(orjson.loads(orjson.dumps(query_to_json(query)))) == query
