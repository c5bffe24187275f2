"""A teacher that joins a finished or a cut run is asked everything; the others are asked nothing again."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pyarrow.parquet
import pytest

RECIPE = """
run: {name: joining, seed: 3, shard_queries: 64}
queries: {paths: [queries.jsonl]}
teachers:
  - {name: first, kind: scripted, script: "arithmetic:0.7", max_num_seqs: 4}
attempts: {max_attempts: 5, defer_after: 2, survive: SURVIVE}
pack: {tokenizer: "embedded:tiny_teacher", max_length: 256, window_documents: 32}
"""
NUM_QUERIES = 200


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"id": f"q{i:04d}", "prompt": f"What is {i} + 5?", "category": "math", "ground_truth": str(i + 5)}
        for i in range(NUM_QUERIES)
    ]
    (tmp_path / "queries.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return tmp_path


def run(folder, name, *options, joined=False, survive="union", packed=()):
    second = '  - {name: second, kind: scripted, script: "arithmetic:0.4", max_num_seqs: 4}\nattempts:'
    text = RECIPE.replace("SURVIVE", survive)
    text = text.replace("attempts:", second, 1) if joined else text
    if packed:
        text = text.replace("window_documents: 32", f"window_documents: 32, teachers: [{', '.join(packed)}]")
    (folder / "recipe.yaml").write_text(text)
    command = [str(Path(sys.executable).parent / "reasonmill"), "run", "recipe.yaml", "--output-dir", name, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def attempts(folder, name):
    with closing(sqlite3.connect(folder / name / "journal.sqlite")) as journal:
        return journal.execute(
            "SELECT ordinal, teacher, number, seed, text, duration_s FROM attempts ORDER BY 1, 2, 3"
        ).fetchall()


def samples(folder, name):
    files = sorted((folder / name / "dataset").rglob("*.parquet"))
    return {str(p.relative_to(folder / name)): pyarrow.parquet.read_table(p).to_pylist() for p in files}


def ids_of(files, teacher):
    return sorted(row["id"] for name, rows in files.items() if f"/{teacher}/" in name for row in rows)


def test_only_the_teacher_that_joins_is_asked_and_earlier_files_keep_their_bytes(folder):
    assert run(folder, "out").returncode == 0
    before, files = attempts(folder, "out"), samples(folder, "out")
    done = run(folder, "out", "--resume", joined=True, packed=["first"])
    assert done.returncode == 0, done.stderr
    after = attempts(folder, "out")
    assert [row for row in after if row[1] == "first"] == before
    assert {row[0] for row in after if row[1] == "second"} == set(range(NUM_QUERIES))
    now = samples(folder, "out")
    assert {name: rows for name, rows in now.items() if "/first/" in name} == files
    assert run(folder, "both", joined=True).returncode == 0
    assert ids_of(now, "second") == ids_of(samples(folder, "both"), "second")
    summary = orjson.loads((folder / "out" / "summary.json").read_bytes())
    assert summary["pairs"] == 2 * NUM_QUERIES
    assert summary["rows"] > 0


def test_where_it_would_change_what_was_handed_on_nobody_may_join(folder):
    assert run(folder, "out", survive="intersection").returncode == 0
    refused = run(folder, "out", "--resume", joined=True, survive="intersection")
    assert refused.returncode == 2
    assert "'second' cannot join a run with attempts.survive = intersection" in refused.stderr


def test_a_teacher_that_would_add_to_finished_rows_is_refused_with_what_to_do(folder):
    assert run(folder, "out").returncode == 0
    refused = run(folder, "out", "--resume", joined=True)
    assert refused.returncode == 2
    assert "reasonmill pack" in refused.stderr


def test_another_way_of_serving_a_teacher_is_no_other_recipe(folder):
    assert run(folder, "out").returncode == 0
    assert run(folder, "out", "--resume", "teachers.0.max_num_seqs=9").returncode == 0
    refused = run(folder, "out", "--resume", "teachers.0.temperature=0.1")
    assert refused.returncode == 2
    assert "teachers.first.temperature was 0.6 and is now 0.1" in refused.stderr
