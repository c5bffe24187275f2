"""Death at any moment: the resumed run ends with the bytes of an undisturbed one, and leaves no process behind."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.flow.lifeline import marked_processes

RECIPE = """
run: {name: crash, seed: 3, shard_queries: 64}
queries: {paths: [queries.jsonl]}
teachers:
  - {name: sure, kind: scripted, script: "arithmetic:0.7", max_num_seqs: 4}
  - {name: unsure, kind: scripted, script: "arithmetic:0.3", max_num_seqs: 4}
attempts: {max_attempts: 5, max_open_queries: 64, survive: SURVIVE}
pack: {tokenizer: "embedded:tiny_teacher", max_length: 256, window_documents: 32}
"""
NUM_QUERIES = 600


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"id": f"q{i:04d}", "prompt": f"What is {i} + {i * 7 % 100}?", "category": "math",
         "ground_truth": str(i + i * 7 % 100)}
        for i in range(NUM_QUERIES)
    ]  # fmt: skip
    (tmp_path / "queries.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return tmp_path


def start(folder, name, *options, survive="union"):
    (folder / "recipe.yaml").write_text(RECIPE.replace("SURVIVE", survive))
    command = [str(Path(sys.executable).parent / "reasonmill"), "run", "recipe.yaml", "--output-dir", name, *options]
    with (folder / f"{Path(name).name}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def contents(run):
    """Digests of dataset and packed rows, and what the journal says of every pair."""
    files = [*sorted((run / "dataset").rglob("*.parquet")), *sorted(p for p in (run / "packed").iterdir())]
    with sqlite3.connect(run / "journal.sqlite") as journal:
        pairs = journal.execute("SELECT * FROM pairs ORDER BY ordinal, teacher").fetchall()
        attempts = journal.execute(
            "SELECT ordinal, teacher, number, seed, outcome, reason FROM attempts ORDER BY 1, 2, 3"
        ).fetchall()
    journal.close()
    # chunks of a packed set are as many as there were syncs, which a crash may split or join; the rows are not
    digests = {
        str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
        if p.name not in {"chunks.jsonl", "published.json"}
    }
    return {"files": digests, "pairs": pairs, "attempts": attempts}


@pytest.mark.parametrize("survive", ["union", "intersection"])
def test_a_run_killed_again_and_again_ends_as_an_undisturbed_one(folder, survive):
    assert start(folder, "whole", survive=survive).wait(120) == 0
    expected = contents(folder / "whole")
    assert len(expected["pairs"]) == 2 * NUM_QUERIES
    rng = random.Random(survive)
    kills = 0
    for _ in range(12):
        options = ["--resume"] if (folder / "cut" / "recipe.resolved.yaml").exists() else []
        process = start(folder, "cut", *options, survive=survive)
        try:
            # the first kill comes before any machine can be done; later ones anywhere
            assert process.wait(rng.uniform(0.8, 3.0) if kills else 1.0) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    else:
        # on a busy machine every kill may have come before there was a run
        options = ["--resume"] if (folder / "cut" / "recipe.resolved.yaml").exists() else []
        assert start(folder, "cut", *options, survive=survive).wait(120) == 0
    assert kills > 0
    assert contents(folder / "cut") == expected
    deadline = time.monotonic() + 10
    while marked_processes(str(folder / "cut")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert marked_processes(str(folder / "cut")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order_and_resume_goes_on(folder, number):
    process = start(folder, "out")
    journal = folder / "out" / "journal.sqlite"
    deadline = time.monotonic() + 60
    while not (journal.exists() and started(journal)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == 128 + number, (folder / "out.log").read_text()
    assert orjson.loads((folder / "out" / "summary.json").read_bytes())["state"] == "stopped"
    assert "--resume" in (folder / "out.log").read_text()
    assert marked_processes(str(folder / "out")) == []
    assert start(folder, "out", "--resume").wait(120) == 0
    assert orjson.loads((folder / "out" / "summary.json").read_bytes())["pairs"] == 2 * NUM_QUERIES


def started(journal):
    connection = sqlite3.connect(journal, timeout=5)
    try:
        return connection.execute("SELECT count(*) FROM attempts").fetchone()[0] > 0
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_a_full_disk_stops_the_run_with_the_path_and_resume_goes_on_when_there_is_room(folder):
    small = folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(small)], check=True)
    try:
        first = start(folder, "small/out")
        assert first.wait(120) == 1
        log = (folder / "out.log").read_text()
        error = next(line for line in log.splitlines() if line.startswith("error: "))
        assert str(small / "out") in error
        assert "full" in error or "No space left" in error
        subprocess.run(["mount", "-o", "remount,size=200m", str(small)], check=True)
        assert start(folder, "small/out", "--resume").wait(120) == 0, log
        assert orjson.loads((small / "out" / "summary.json").read_bytes())["pairs"] == 2 * NUM_QUERIES
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_packing_onto_a_full_disk_names_the_folder(folder):
    small = folder / "small"
    small.mkdir()
    rows = [
        {"messages": [{"role": "user", "content": "x" * 200}], "response": f"<think>{i}</think>{i}"} for i in range(999)
    ]
    (folder / "data.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE.replace("SURVIVE", "union"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(small)], check=True)
    try:
        command = [str(Path(sys.executable).parent / "reasonmill"), "pack", "recipe.yaml", "--input", "data.jsonl"]
        done = subprocess.run(
            [*command, "--output-dir", "small/packed"], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("error: [Errno 28] No space left on device: ")
        assert "small/packed" in done.stderr
    finally:
        subprocess.run(["umount", str(small)], check=True)
