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
        b'{"prompt": "one?"}\n{"prompt": \n[1]\n{"question": "no key"}\n{"prompt": 7}\n\n'
        b'{"prompt": "x", "category": "algebra"}\n{"messages": [{"role": "robot", "content": "x"}]}\n'
        b'{"prompt": "bad \xff utf8"}\n{"prompt": "two?"}'
    )
    items = list(read_queries([path]))
    rejects = [item for item in items if isinstance(item, Reject)]
    assert [item.prompt for item in items if isinstance(item, Query)] == ["one?", "two?"]
    assert [r.evidence["place"].rsplit(":", 1)[1] for r in rejects] == ["2", "3", "4", "5", "7", "8", "9"]
    assert all(r.reason == "unreadable_line" and r.evidence["error"] for r in rejects)


def test_a_torn_zst_stream_keeps_the_rows_before_the_tear(tmp_path):
    path = tmp_path / "q.jsonl.zst"
    lines = b"".join(orjson.dumps({"prompt": f"question {i} {'x' * 50}"}) + b"\n" for i in range(20_000))
    path.write_bytes(zstandard.ZstdCompressor().compress(lines)[:-20])
    items = list(read_queries([path]))
    assert isinstance(items[-1], Reject) or len(items) < 20_000
    assert sum(isinstance(item, Query) for item in items) > 1000


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
