import asyncio

import orjson
import pytest

from reasonmill.engine.train.files import pack_files, train_files
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.settings import PackSettings


def write(path, rows) -> str:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def shard_row(number: int, teacher: str = "a", response: str = "<think>t</think>4") -> dict:
    question = [{"role": "user", "content": f"{number}?"}]
    return {"id": f"q{number}", "messages": question, "response": response, "category": "math", "model_name": teacher}


@pytest.fixture
def settings(tmp_path) -> PackSettings:
    tokenizer = str(write_byte_tokenizer(tmp_path / "tokenizer"))
    return PackSettings(tokenizer=tokenizer, max_length=128, window_documents=8)


def test_every_dataset_row_is_packed_or_removed_with_a_reason(tmp_path, settings):
    rows = [shard_row(number) for number in range(150)]
    rows += [
        shard_row(150, response="y" * 200),
        {"messages": [*rows[0]["messages"], {"role": "assistant", "content": "4"}]},
    ]
    rows += [{"id": "x", "messages": rows[0]["messages"]}]
    counts = pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "packed"), settings)
    reader = PackedReader(tmp_path / "packed")
    names = [name for row in range(reader.num_rows) for name in reader.names_of(row)]
    assert sorted(names) == sorted([*(f"q{number}/a" for number in range(150)), f"{tmp_path}/d.jsonl:152"])
    assert (counts["samples"], counts["too_long"], counts["unreadable"]) == (151, 1, 1)
    removed = [orjson.loads(line) for line in (tmp_path / "packed" / "removed.jsonl").read_bytes().splitlines()]
    assert [(record["id"], record["reason"]) for record in removed] == [
        ("153", "unreadable_line"),
        ("q150/a", "too_long"),
    ]


def test_only_chosen_teachers_and_categories_are_packed(tmp_path, settings):
    rows = [shard_row(number, teacher) for number in range(4) for teacher in ("a", "b")]
    rows.append({**shard_row(9, "b"), "category": "code"})
    chosen = PackSettings(tokenizer=settings.tokenizer, max_length=128, teachers=("b",), categories=("math",))
    counts = pack_files([write(tmp_path / "d.jsonl", rows)], str(tmp_path / "packed"), chosen)
    assert counts["samples"] == 4


def test_many_unreadable_rows_are_an_error_that_says_where_to_look(tmp_path, settings):
    path = write(tmp_path / "d.jsonl", [shard_row(1), b"{\n", {"messages": [{"role": "user"}], "response": "x"}, {}])
    with pytest.raises(ValueError, match=r"3 of 4 dataset rows cannot be read: see .*removed\.jsonl"):
        pack_files([path], str(tmp_path / "packed"), settings)


def test_packing_needs_a_tokenizer(tmp_path):
    with pytest.raises(ValueError, match=r"pack\.tokenizer is missing"):
        pack_files([], str(tmp_path), PackSettings())


def test_training_needs_a_finished_set(tmp_path, settings):
    with pytest.raises(ValueError, match="holds no finished packed set"):
        asyncio.run(train_files(str(tmp_path / "no"), str(tmp_path), TrainSettings(), settings))
