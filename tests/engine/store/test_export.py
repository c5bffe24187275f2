from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from reasonmill.engine.records import Message, Query, Sample
from reasonmill.engine.store.export import FORMS, export_run
from reasonmill.engine.store.readers import read_queries
from reasonmill.engine.store.rows import read_rows
from reasonmill.engine.store.shards import read_samples, write_shard

MakeSample = Callable[..., Sample]

CONVERSATION = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hello. What do you want to know?"),
    Message(role="user", content="2 + 2?"),
)


@pytest.fixture
def run_dir(tmp_path: Path, make_sample: MakeSample) -> Path:
    run = tmp_path / "run"
    for teacher in ("alpha", "beta"):
        write_shard(
            run / "dataset" / teacher / "math-00000.parquet", [make_sample(n, teacher=teacher) for n in range(5)]
        )
    special = make_sample(
        9,
        category="code",
        messages=CONVERSATION,
        test_case={"call_type": "std", "inputs": ["1"], "outputs": ["2"]},
        quality={"perplexity": 2.5},
    )
    write_shard(run / "dataset" / "alpha" / "code-00000.parquet", [special])
    return run


def exported(run_dir: Path, form: str, **selection: Any) -> list[dict[str, Any]]:
    output = run_dir.parent / f"{form}.jsonl"
    number = export_run(run_dir, form, output, **selection)
    rows = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    assert len(rows) == number
    return rows


def test_the_released_form_has_the_released_keys_on_every_turn(run_dir: Path) -> None:
    row = exported(run_dir, "released")[0]
    keys = ["source", "category", "ground_truth", "test_case", "instruction_constrain"]
    keys += ["think_content", "answer_content", "verify_score", "model_name", "ppl"]
    assert list(row) == ["system", "conversations"]
    assert [t["from"] for t in row["conversations"]] == ["human", "assistant", "human", "assistant"]
    assert all(list(turn["info"]) == keys for turn in row["conversations"])
    assert row["system"] == "Be brief."
    last = row["conversations"][-1]
    assert last["value"] == r"<think>9 and 9 make 18</think><answer>\boxed{18}</answer>"
    assert last["info"]["answer_content"] == r"\boxed{18}"
    assert last["info"]["verify_score"] == 1.0
    assert last["info"]["model_name"] == "alpha"
    assert last["info"]["ppl"] == 2.5
    assert last["info"]["test_case"] == '{"call_type":"std","inputs":["1"],"outputs":["2"]}'
    assert row["conversations"][0]["info"]["verify_score"] is None


def test_the_released_form_reads_back_as_the_same_queries(run_dir: Path) -> None:
    output = run_dir.parent / "released.jsonl"
    export_run(run_dir, "released", output, teachers=["alpha"])
    queries = list(read_queries([output]))
    shards = sorted((run_dir / "dataset" / "alpha").glob("*.parquet"))
    originals = [sample.query for sample in read_samples(shards)]
    assert len(queries) == len(originals) == 6
    for query, original in zip(queries, originals, strict=True):
        assert isinstance(query, Query)
        for key in ("messages", "category", "source", "ground_truth", "test_case", "instruction_constrain"):
            assert getattr(query, key) == getattr(original, key), key


def test_sharegpt_turns_end_with_the_response(run_dir: Path) -> None:
    row = exported(run_dir, "sharegpt")[0]
    assert [t["from"] for t in row["conversations"]] == ["system", "human", "gpt", "human", "gpt"]
    assert row["conversations"][-1]["value"].startswith("<think>")
    assert row["id"] == "q00009/alpha"


def test_messages_end_with_the_response_and_keep_roles(run_dir: Path) -> None:
    row = exported(run_dir, "messages")[0]
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert row["query_id"] == "q00009"
    assert row["completion_tokens"] == 109


def test_rows_can_be_chosen_by_teacher_and_category(run_dir: Path) -> None:
    rows = exported(run_dir, "messages", teachers=["beta"], categories=["math"])
    assert [row["id"] for row in rows] == [f"q{n:05d}/beta" for n in range(5)]


def test_parquet_holds_the_same_samples_as_the_shards(run_dir: Path) -> None:
    output = run_dir.parent / "all.parquet"
    assert export_run(run_dir, "parquet", output) == 11
    shards = sorted((run_dir / "dataset").glob("*/*.parquet"))
    assert list(read_samples([output])) == list(read_samples(shards))
    assert pq.ParquetFile(output).metadata.num_row_groups == 1


def test_a_zst_name_compresses(run_dir: Path) -> None:
    output = run_dir.parent / "rows.jsonl.zst"
    export_run(run_dir, "messages", output)
    rows = [row.value for row in read_rows(output)]
    assert rows == exported(run_dir, "messages")


@pytest.mark.parametrize("form", FORMS)
def test_the_same_dataset_makes_the_same_bytes(form: str, run_dir: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    export_run(run_dir, form, first)
    export_run(run_dir, form, second)
    assert first.read_bytes() == second.read_bytes()


def test_wrong_requests_name_the_value(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'csv' is none of released, sharegpt, messages, parquet"):
        export_run(run_dir, "csv", tmp_path / "x")
    with pytest.raises(ValueError, match="holds no shards of teacher gamma and category math"):
        export_run(run_dir, "messages", tmp_path / "x", teachers=["gamma"], categories=["math"])
    with pytest.raises(ValueError, match="holds no shards"):
        export_run(tmp_path / "nowhere", "messages", tmp_path / "x")


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.zst", "out.parquet"])
def test_a_broken_shard_stops_the_export_and_leaves_no_file(name: str, run_dir: Path, tmp_path: Path) -> None:
    (run_dir / "dataset" / "beta" / "science-00000.parquet").write_text("broken")
    with pytest.raises(ValueError, match=r"science-00000\.parquet"):
        export_run(run_dir, "parquet" if name.endswith("parquet") else "messages", tmp_path / name)
    assert not list(tmp_path.glob("out*"))
