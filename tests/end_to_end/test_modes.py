"""The ways of asking, from a recipe to the files: pass rates, rounds with the last answer, union and intersection."""

from collections import defaultdict

import orjson
import pyarrow.parquet as pq
import pytest

NUM_QUERIES = 24
RECIPE = """
run: {name: out, seed: 3, shard_queries: 32}
queries: {paths: [queries.jsonl]}
curate: {near_duplicate_threshold: null}
teachers:
  - {name: sure, kind: scripted, script: "arithmetic:0.7"}
  - {name: half, kind: scripted, script: "arithmetic:0.5"}
  - {name: weak, kind: scripted, script: "arithmetic:0.2"}
"""


@pytest.fixture
def run(tmp_path, reasonmill):
    """Run the recipe with overrides of its attempts; returns the run's folder and its summary."""
    rows = [
        {"id": f"q{n}", "prompt": f"What is {n} + 5?", "category": "math", "ground_truth": str(n + 5)}
        for n in range(NUM_QUERIES)
    ]
    (tmp_path / "queries.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE)

    def go(name, *overrides):
        assert reasonmill("generate", "recipe.yaml", *overrides, "--output-dir", name)[0] == 0
        return tmp_path / name, orjson.loads((tmp_path / name / "summary.json").read_bytes())

    return go


def samples(folder):
    """All rows of the dataset."""
    return [
        row for shard in sorted((folder / "dataset").rglob("*.parquet")) for row in pq.read_table(shard).to_pylist()
    ]


def pass_rates(folder):
    return [orjson.loads(line) for line in (folder / "pass_rates.jsonl").read_bytes().splitlines()]


def test_k_responses_of_three_teachers_give_the_pass_rate_of_each_pair(run):
    folder, summary = run("out", "attempts.mode=k_pass", "attempts.responses=4")
    rates = pass_rates(folder)
    assert summary["attempts"] == 3 * 4 * NUM_QUERIES
    assert [(row["id"], row["teacher"]) for row in rates[:4]] == [
        *(("q0", "half"), ("q0", "sure"), ("q0", "weak")),
        ("q1", "half"),
    ]
    assert len(rates) == 3 * NUM_QUERIES
    kept = defaultdict(int)
    for row in samples(folder):
        kept[row["id"], row["model_name"]] += 1
    for row in rates:
        assert (row["responses"], row["judged"], len(row["scores"])) == (4, 4, 4)
        assert row["passed"] == sum(row["scores"]) == kept[row["id"], row["teacher"]]
        assert row["pass_rate"] == row["passed"] / 4
    mean = {name: sum(r["pass_rate"] for r in rates if r["teacher"] == name) / NUM_QUERIES for name in ("sure", "weak")}
    assert mean["sure"] > 0.55 > 0.35 > mean["weak"]
    assert {name: sum(counts.values()) for name, counts in summary["pass_rates"].items()} == dict.fromkeys(
        ("half", "sure", "weak"), NUM_QUERIES
    )


def test_a_run_that_asks_until_verified_has_no_pass_rates(run):
    folder, summary = run("out")
    assert not (folder / "pass_rates.jsonl").exists()
    assert "pass_rates" not in summary


def test_a_later_round_is_in_the_dataset_as_it_was_asked(run):
    folder, _ = run("out", "attempts.mode=multi_round", "attempts.max_attempts=3")
    rows = samples(folder)
    again = [row for row in rows if row["attempt"] > 1]
    assert len(again) > 5
    for row in rows:
        number = int(row["id"][1:])
        asked = row["messages"][-1]["content"]
        first, _, rest = asked.partition("\n")
        assert first == f"What is {number} + 5?"
        if row["attempt"] == 1:
            assert not rest
        else:
            assert rest.startswith("The assistant\u2019s previous answer is: <answer> \\boxed{")
            assert rest.endswith("} </answer>, and please re-answer.")
            assert "<think>" not in asked  # the thinking of the round before is left behind


def test_a_query_survives_if_any_teacher_passed_or_only_if_all_did(run):
    union, all_of_them = (
        run(name, f"attempts.survive={name}", "attempts.max_attempts=2") for name in ("union", "intersection")
    )
    answered = defaultdict(set)
    for row in samples(union[0]):
        answered[row["id"]].add(row["model_name"])
    everyone = {"sure", "half", "weak"}
    complete = {id for id, teachers in answered.items() if teachers == everyone}
    assert 0 < len(complete) < len(answered)
    assert {(row["id"], row["model_name"]) for row in samples(all_of_them[0])} == {
        (id, name) for id in complete for name in everyone
    }
    assert all_of_them[1]["accepted"] == union[1]["accepted"]
    assert all_of_them[1]["withheld"] == {"not_all_teachers": union[1]["samples"] - 3 * len(complete)}
