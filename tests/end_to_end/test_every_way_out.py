"""Every row that enters is in one file that says where it left, and the figures add up to what lies on disk."""

import sqlite3
from contextlib import closing

import orjson
import pyarrow.parquet as pq
import pytest

RECIPE = """
run: {name: out, seed: 3, shard_queries: 32}
queries: {paths: [queries.jsonl]}
curate: {near_duplicate_threshold: null}
teachers:
  - {name: sure, kind: scripted, script: "arithmetic:0.7", categories: [math]}
  - {name: unsure, kind: scripted, script: "arithmetic:0.3", categories: [math]}
attempts: {max_attempts: 2, survive: intersection}
pack: {tokenizer: "embedded:tiny_teacher", max_length: 34}
"""


def sum_query(number, **keys):
    query = {
        "id": f"q{number}",
        "prompt": f"What is {number} + 5?",
        "category": "math",
        "ground_truth": str(number + 5),
    }
    return query | keys


@pytest.fixture
def folder(tmp_path):
    rows = [sum_query(number) for number in range(60)]
    rows += [sum_query(number, category="science") for number in range(100, 107)]  # no teacher takes them
    rows += [sum_query(200, id="a"), sum_query(201, id="a"), sum_query(202, id="a")]
    rows += [sum_query(203, id="a#0"), sum_query(204, id="a#2", prompt="See https://example.com/x: what is 1 + 1?")]
    (tmp_path / "queries.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def lines(folder, name):
    return [orjson.loads(line) for line in (folder / "out" / "rejects" / f"{name}.jsonl").read_bytes().splitlines()]


def summary_of(folder, name="out"):
    return orjson.loads((folder / name / "summary.json").read_bytes())


def test_what_enters_is_kept_or_removed_and_what_is_asked_ends_in_one_place(folder, reasonmill):
    status, shown, _ = reasonmill("run", "recipe.yaml", "--output-dir", "out")
    assert status == 0
    summary = summary_of(folder)
    assert summary["removed"] == {"no_teacher": 7, "repeated_id": 2, "url": 1}
    assert summary["queries_in"] == 72 == summary["kept"] + len(lines(folder, "removed"))
    assert {row["id"] for row in lines(folder, "removed")} == {"a#1", "a#3", "a#2", *(f"q{n}" for n in range(100, 107))}
    assert summary["pairs"] == summary["accepted"] + len(lines(folder, "unanswered")) == 2 * summary["kept"]
    assert len(lines(folder, "unanswered")) == sum(summary["unanswered"].values()) > 0
    assert len(lines(folder, "withheld")) == sum(summary["withheld"].values()) > 0
    assert summary["samples"] == summary["accepted"] - len(lines(folder, "withheld"))
    shards = list((folder / "out" / "dataset").rglob("*.parquet"))
    assert summary["samples"] == sum(pq.read_metadata(shard).num_rows for shard in shards) > 0
    assert summary["excluded_too_long"] == len(lines(folder, "unpacked")) > 0
    assert summary["documents_packed"] == summary["samples"] - summary["excluded_too_long"]
    assert f"not_all_teachers {len(lines(folder, 'withheld'))}" in shown
    for name in ("README.md", "report.html"):
        assert "not_all_teachers" in (folder / "out" / name).read_text(encoding="utf-8"), name


def test_each_sample_of_a_pair_that_is_not_packed_is_counted(folder, reasonmill):
    overrides = ["attempts={mode: k_pass, responses: 4}", "pack.max_length=10"]
    assert reasonmill("run", "recipe.yaml", *overrides, "--output-dir", "out")[0] == 0
    summary = summary_of(folder)
    assert summary["excluded_too_long"] == summary["samples"] > summary["accepted"] > 0
    assert sum(len(row["evidence"]["attempts"]) for row in lines(folder, "unpacked")) == summary["samples"]


def test_a_query_that_no_teacher_took_is_kept_once_one_joins(folder, reasonmill):
    alone = ["attempts.survive=union", "pack=null"]
    assert reasonmill("run", "recipe.yaml", *alone, "--output-dir", "out")[0] == 0
    before = summary_of(folder)
    third = {"name": "third", "kind": "scripted", "script": "arithmetic:1.0", "categories": ["science"]}
    text = (
        (folder / "recipe.yaml").read_text().replace("\nattempts:", f"\n  - {orjson.dumps(third).decode()}\nattempts:")
    )
    (folder / "recipe.yaml").write_text(text)
    assert reasonmill("run", "recipe.yaml", *alone, "--output-dir", "out", "--resume")[0] == 0
    after = summary_of(folder)
    assert "no_teacher" not in after["removed"]
    assert after["kept"] == before["kept"] + 7
    assert after["queries_in"] == after["kept"] + sum(after["removed"].values())
    assert after["pairs"] == before["pairs"] + 7
    with closing(sqlite3.connect(folder / "out" / "journal.sqlite")) as journal:
        assert journal.execute("SELECT count(*) FROM queries WHERE admitted = 1").fetchone() == (after["kept"],)


def test_resume_refuses_what_changes_verdicts_or_inputs_and_leaves_one_journal_file(folder, reasonmill):
    run = ("run", "recipe.yaml", "pack=null", "--output-dir", "out")
    assert reasonmill(*run)[0] == 0
    assert [path.name for path in (folder / "out").glob("journal*")] == ["journal.sqlite"]
    for override in ("verify.max_tests=1", "verify.math_limit_s=0.5", "verify.sandbox.memory_mib=64"):
        status, _, error = reasonmill(*run, override, "--resume")
        assert status == 2
        assert override.partition("=")[0] in error
    free = ["verify.math_workers=1", "verify.cache_size=7", "verify.sandbox.slots=1"]
    assert reasonmill(*run, *free, "--resume")[0] == 0
    with closing(sqlite3.connect(folder / "out" / "journal.sqlite")) as journal, journal:  # as if it had been stopped
        journal.execute("UPDATE meta SET value = '0' WHERE key = 'cohorts_finished'")
    with (folder / "queries.jsonl").open("ab") as stream:
        stream.write(orjson.dumps(sum_query(900)) + b"\n")
    status, _, error = reasonmill(*run, "--resume")
    assert status == 2
    assert "'queries.jsonl' has changed since the run began" in error


def test_wall_time_is_that_of_the_sessions_without_the_pause_between_them(folder, reasonmill):
    run = ("run", "recipe.yaml", "pack=null", "--output-dir", "out")
    assert reasonmill(*run)[0] == 0
    first = summary_of(folder)
    path = folder / "out" / "metrics.jsonl"
    ticks = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for tick in ticks:  # an hour ago
        tick["unix_s"] -= 3600
        tick["session_unix_s"] -= 3600
    path.write_bytes(b"".join(orjson.dumps(tick) + b"\n" for tick in ticks))
    assert reasonmill(*run, "--resume")[0] == 0
    second = summary_of(folder)
    assert (first["sessions"], second["sessions"]) == (1, 2)
    assert first["wall_s"] < second["wall_s"] < 1800
    assert second["goodput_of_run_tokens_per_s"] == second["accepted_tokens"] / second["wall_s"]
    assert second["goodput_of_run_tokens_per_s"] < second["goodput_tokens_per_s"]
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "over the whole run" in page


def test_twenty_thousand_attempts_allowed_cost_no_more_than_those_made(folder, reasonmill):
    overrides = ["attempts.max_attempts=20000", "teachers.1.script=arithmetic:0.5"]
    assert reasonmill("run", "recipe.yaml", *overrides, "--output-dir", "out")[0] == 0
    summary = summary_of(folder)
    assert summary["accepted"] == summary["pairs"]
    with closing(sqlite3.connect(folder / "out" / "journal.sqlite")) as journal:
        assert journal.execute("SELECT count(*) FROM releases").fetchone()[0] < 100
