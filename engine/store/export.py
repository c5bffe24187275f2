"""A run's dataset in the forms that others read: the released schema, ShareGPT, messages, one parquet file.

Rows come by teacher, category and span, so the same dataset makes the same file; memory stays that of a few hundred
rows. The file is there whole or not at all. Text is never cut.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson
import pyarrow as pa
import zstandard

from reasonmill.engine.store.aside import whole_file
from reasonmill.engine.store.shards import (
    ROW_GROUP_ROWS,
    SHARD_SCHEMA,
    open_writer,
    read_batches,
    read_shard_rows,
    shard_paths,
)

_OWN_FOLDERS = ("dataset", "rejects", "packed", "train", "student", "inputs", "logs")
_OWN_FILES = (
    *("recipe.resolved.yaml", "journal.sqlite", "evaluation.json", "metrics.jsonl", "summary.json", "trace.json"),
    *("report.html", "analysis.json", "README.md", "lock"),
)
_SHAREGPT_ROLES = {"system": "system", "user": "human", "assistant": "gpt"}
_RELEASED_ROLES = {"user": "human", "assistant": "assistant"}


def export_run(
    run_dir: Path,
    form: str,
    output: Path,
    *,
    teachers: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> int:
    """Write the run's samples to `output`; returns their number. Empty selections mean all.

    JSON forms are JSON lines, compressed where the name ends in `.zst`. Raises ValueError for an unknown form or
    a run without shards, OSError that names `output` where it cannot be written.
    """
    if form not in FORMS:
        raise ValueError(f"format {form!r} is none of {', '.join(FORMS)}")
    _refuse_own(run_dir, output)
    shards = shard_paths(run_dir, teachers=teachers, categories=categories)
    if not shards:
        raise ValueError(f"{str(run_dir / 'dataset')!r} holds no shards{_selection(teachers, categories)}")
    if form == "parquet":
        return _write_parquet(shards, output)
    convert = _CONVERTERS[form]
    num_rows = 0
    with whole_file(output) as stream, _compressed(stream, output) as lines:
        for row in read_shard_rows(shards):
            lines.write(orjson.dumps(convert(row), option=orjson.OPT_APPEND_NEWLINE))
            num_rows += 1
    return num_rows


def _refuse_own(run_dir: Path, output: Path) -> None:
    """Raise ValueError where `output` is a file of the run, or would lie among them."""
    root, target = run_dir.resolve(), output.resolve()
    if not target.is_relative_to(root):
        return
    first = target.relative_to(root).parts[:1]
    if not first or first[0].startswith(_OWN_FILES) or first[0] in _OWN_FOLDERS:
        raise ValueError(f"--output {str(output)!r} is the run's own: choose a file outside of it")


def to_released(row: dict[str, Any]) -> dict[str, Any]:
    """The row in the schema of the released datasets (arXiv 2505.14464 dataset card).

    Every turn's `info` has the same keys, so that a loader infers one type; what belongs to the response is null
    on the turns before it. `system` is kept apart, and is not meant for training.
    """
    origin = {"source": row["source"], "category": row["category"], **_references(row)}
    quality = orjson.loads(row["quality"])
    response = {
        "think_content": row["think_content"],
        "answer_content": row["answer_content"],
        "verify_score": row["verify_score"],
        "model_name": row["model_name"],
        "ppl": quality.get("perplexity", quality.get("ppl")),
    }
    turns = [
        {"from": _RELEASED_ROLES[m["role"]], "value": m["content"], "info": origin | dict.fromkeys(response)}
        for m in row["messages"]
        if m["role"] != "system"
    ]
    turns.append({"from": "assistant", "value": row["response"], "info": origin | response})
    return {"system": _system(row), "conversations": turns}


def to_sharegpt(row: dict[str, Any]) -> dict[str, Any]:
    """The row as ShareGPT turns `system`, `human`, `gpt`, the last of them the response."""
    turns = [{"from": _SHAREGPT_ROLES[m["role"]], "value": m["content"]} for m in row["messages"]]
    turns.append({"from": "gpt", "value": row["response"]})
    return {
        "id": _row_id(row),
        "conversations": turns,
        "category": row["category"],
        "source": row["source"],
        **_references(row),
    }


def to_messages(row: dict[str, Any]) -> dict[str, Any]:
    """The row as chat messages, the form that TRL and chat templates read, with what is known of it."""
    return {
        "id": _row_id(row),
        "messages": [*row["messages"], {"role": "assistant", "content": row["response"]}],
        "query_id": row["id"],
        "category": row["category"],
        "source": row["source"],
        **_references(row),
        "model_name": row["model_name"],
        "verify_score": row["verify_score"],
        "completion_tokens": row["completion_tokens"],
    }


_CONVERTERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "released": to_released,
    "sharegpt": to_sharegpt,
    "messages": to_messages,
}
FORMS = (*_CONVERTERS, "parquet")


def _write_parquet(shards: Sequence[Path], output: Path) -> int:
    num_rows = 0
    with whole_file(output) as stream, open_writer(stream) as writer:
        for table in _row_groups(shards):
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            num_rows += table.num_rows
    return num_rows


def _row_groups(shards: Sequence[Path]) -> Iterator[pa.Table]:
    """Tables of at least one row group, however small the shards; the last may be smaller."""
    waiting: list[pa.RecordBatch] = []
    for shard in shards:
        for batch in read_batches(shard, SHARD_SCHEMA.names):
            waiting.append(batch)
            if sum(b.num_rows for b in waiting) >= ROW_GROUP_ROWS:
                yield pa.Table.from_batches(waiting)
                waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


@contextmanager
def _compressed(stream: BinaryIO, output: Path) -> Iterator[IO[bytes]]:
    if output.suffix == ".zst":
        with zstandard.ZstdCompressor(level=9).stream_writer(stream, closefd=False) as compressed:
            yield compressed
    else:
        yield stream


def _system(row: dict[str, Any]) -> str:
    return "\n\n".join(m["content"] for m in row["messages"] if m["role"] == "system")


def _references(row: dict[str, Any]) -> dict[str, Any]:
    """What a response is held against, so that every form can be verified again."""
    return {key: row[key] for key in ("ground_truth", "test_case", "instruction_constrain")}


def _row_id(row: dict[str, Any]) -> str:
    return f"{row['id']}/{row['model_name']}"


def _selection(teachers: Sequence[str], categories: Sequence[str]) -> str:
    named = [f"{key} {', '.join(names)}" for key, names in (("teacher", teachers), ("category", categories)) if names]
    return f" of {' and '.join(named)}" if named else ""
