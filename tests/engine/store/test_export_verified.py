"""What a run exports is an input of `reasonmill verify` again, in every form."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.cli import run_command
from reasonmill.engine.records import Message, Sample
from reasonmill.engine.store.export import FORMS, export_run
from reasonmill.engine.store.shards import write_shard

CHOICE = (
    Message(role="system", content="Be brief."),
    Message(role="user", content="Hello"),
    Message(role="assistant", content="Hello."),
    Message(role="user", content="What is 2 + 2? A) 3 B) 4"),
)
DOUBLE = "```python\nprint(2 * int(input()))\n```"
TESTS = {"call_type": "std", "inputs": ["1", "21"], "outputs": ["2", "42"]}
BRIEF = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}


@pytest.fixture
def run_dir(tmp_path: Path, make_sample: Callable[..., Sample]) -> Path:
    dataset = tmp_path / "run" / "dataset"
    for teacher in ("alpha", "beta"):
        samples = [make_sample(n, teacher=teacher) for n in range(3)]
        write_shard(dataset / teacher / "math-00000.parquet", samples)
    for category, changes in {
        "code": {"answer": DOUBLE, "test_case": TESTS, "ground_truth": None},
        "science": {"answer": r"\boxed{4}", "messages": CHOICE, "ground_truth": "B"},
        "if": {"answer": "no comma here", "instruction_constrain": BRIEF, "ground_truth": None},
    }.items():
        write_shard(dataset / "alpha" / f"{category}-00000.parquet", [make_sample(9, category=category, **changes)])
    return tmp_path / "run"


@pytest.mark.parametrize("form", FORMS)
def test_an_exported_dataset_verifies_again(run_dir: Path, tmp_path: Path, form: str) -> None:
    pytest.importorskip("if_verifiable.common", reason="pip install 'reasonmill[instructions]'")
    exported = tmp_path / ("rows.parquet" if form == "parquet" else "rows.jsonl")
    assert export_run(run_dir, form, exported) == 9
    verdicts = tmp_path / "verdicts.jsonl"
    assert run_command(["verify", "--input", str(exported), "--output", str(verdicts), "--workers", "1"]) == 0
    lines = [orjson.loads(line) for line in verdicts.read_bytes().splitlines()]
    assert [(line["outcome"], line["reason"]) for line in lines] == [("pass", "ok")] * 9
    assert {line["verifier"] for line in lines} >= {"rules", "code_tests", "if_verifiable"}
