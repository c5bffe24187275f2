"""The whole flow at small size with real parts: vLLM, math-verify, sandbox, MiniLM, DeepSpeed ZeRO-3 on two ranks."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from reasonmill.engine.store.rows import read_rows

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "queries.num_queries=160",
    "run.shard_queries=32",
    "train.max_steps=24",
    "train.save_steps=12",
    "train.per_device_train_batch_size=1",
    "evaluate.samples_per_question=1",
]


def reasonmill(*arguments, timeout=600):
    command = [str(Path(sys.executable).parent / "reasonmill"), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, env=dict(os.environ))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart") / "run"
    done = reasonmill("run", "recipes/quickstart.yaml", *SMALL, "--output-dir", folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def rows_of(path):
    return [row.value for row in read_rows(path)]


def test_the_summary_accounts_for_every_query_and_every_pair(run_dir):
    summary = orjson.loads((run_dir / "summary.json").read_bytes())
    assert summary["state"] == "finished"
    assert summary["queries_in"] == summary["kept"] + sum(summary["removed"].values())
    assert summary["pairs"] == summary["accepted"] + sum(summary["unanswered"].values())
    assert summary["accepted"] > 0
    assert summary["overlap_ratio"] > 1.0
    assert summary["rows"] > 0
    assert summary["steps"] == 24


def test_everything_planted_was_removed_for_its_reason_and_nothing_clean(run_dir):
    planted = orjson.loads((run_dir / "inputs" / "planted.json").read_bytes())
    removed = {row["id"]: row["reason"] for row in rows_of(run_dir / "rejects" / "removed.jsonl")}
    wrong = {name: removed.get(name) for name, reasons in planted.items() if removed.get(name) not in reasons}
    assert not wrong
    assert set(removed) == set(planted)


def test_accepted_samples_all_verify_again(run_dir, tmp_path):
    shards = sorted((run_dir / "dataset").rglob("*.parquet"))
    assert {p.parent.name for p in shards} == {"tiny-cool", "tiny-warm", "coder"}
    total = 0
    for number, shard in enumerate(shards):
        output = tmp_path / f"{number}.jsonl"
        done = reasonmill("verify", "--input", shard, "--output", output)
        assert done.returncode == 0, done.stderr
        outcomes = [row["outcome"] for row in rows_of(output)]
        assert len(outcomes) == pq.read_metadata(shard).num_rows
        assert set(outcomes) == {"pass"}, shard
        total += len(outcomes)
    assert total == orjson.loads((run_dir / "summary.json").read_bytes())["accepted"]


def test_the_dataset_loads_with_datasets_and_the_student_with_transformers(run_dir):
    program = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from datasets import load_dataset\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "files = sys.argv[1] + '/dataset/*/*.parquet'\n"
        "rows = load_dataset('parquet', data_files=files, cache_dir=sys.argv[2])['train']\n"
        "assert len(rows) > 0 and rows[0]['verify_score'] >= 0.9\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1] + '/student')\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1] + '/student')\n"
        "turns = [{'role': 'user', 'content': 'What is 2 + 3?'}]\n"
        "options = {'add_generation_prompt': True, 'return_tensors': 'pt', 'return_dict': True}\n"
        "ids = tokenizer.apply_chat_template(turns, **options)\n"
        "print(len(tokenizer.decode(model.generate(**ids, max_new_tokens=8)[0])))\n"
    )
    cache = str(run_dir.parent / "cache")
    done = subprocess.run(
        [sys.executable, "-c", program, str(run_dir), cache], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_trace_shows_generation_verification_and_training(run_dir):
    events = orjson.loads((run_dir / "trace.json").read_bytes())["traceEvents"]
    assert {"curate", "generate", "verify", "train"} <= {e["cat"] for e in events if e["ph"] == "X"}


def test_the_report_is_one_page_that_needs_no_network(run_dir):
    page = (run_dir / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert 'src="http' not in page
    assert (run_dir / "README.md").read_text().startswith("---\n")


def test_a_finished_run_is_not_run_again(run_dir):
    before = {p: p.stat().st_mtime_ns for p in (run_dir / "dataset").rglob("*.parquet")}
    again = reasonmill("run", "recipes/quickstart.yaml", *SMALL, "--output-dir", run_dir)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    resumed = reasonmill("run", "recipes/quickstart.yaml", *SMALL, "--output-dir", run_dir, "--resume")
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    assert {p: p.stat().st_mtime_ns for p in (run_dir / "dataset").rglob("*.parquet")} == before
