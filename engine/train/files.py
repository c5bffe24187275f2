"""What stands behind `reasonmill pack` and `reasonmill train`: dataset files to a packed folder, a packed folder to a
student. Every dataset row is packed or is a line of `removed.jsonl` with its reason.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.faults import RunFailed, Stopped
from reasonmill.engine.store.rows import read_rows
from reasonmill.engine.train.config import TrainConfig
from reasonmill.engine.train.launcher import EXIT_FINISHED, TrainerProcess
from reasonmill.engine.train.settings import TrainSettings
from reasonmill.engine.train.status import read_status
from reasonmill.engine.train.step_log import newest_record
from reasonmill.packing.documents import pack_documents
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.settings import PackSettings

_MAX_UNREADABLE = 0.01  # share of rows from which the command fails
_PROGRESS_S = 10.0

Document = tuple[str, tuple[tuple[str, str], ...]]


def pack_files(inputs: Sequence[str], output_dir: str, settings: PackSettings) -> dict[str, object]:
    """Pack dataset files (a run's shards, or rows whose `messages` end with the answer); returns the counts.

    Raises ValueError naming a missing tokenizer, a folder that already holds a packed set, or too many unreadable rows.
    """
    if not settings.tokenizer:
        raise ValueError("pack.tokenizer is missing: a folder with the student's tokenizer and chat template")
    removed: list[dict[str, Any]] = []
    documents = _documents(inputs, settings, removed)
    counts = pack_documents(documents, output_dir, tokenizer_dir=settings.tokenizer, settings=settings)
    unreadable = len(removed)
    removed.extend({"id": name, "stage": "pack", "reason": "too_long", "evidence": {}} for name in counts.too_long)
    with (Path(output_dir) / "removed.jsonl").open("wb") as stream:
        stream.writelines(orjson.dumps(record) + b"\n" for record in removed)
    num_rows_read = counts.num_documents + len(removed)
    if unreadable > _MAX_UNREADABLE * num_rows_read:
        raise ValueError(f"{unreadable} of {num_rows_read} dataset rows cannot be read: see {output_dir}/removed.jsonl")
    return {
        "samples": counts.num_documents,
        "rows": counts.num_rows,
        "tokens": counts.num_tokens,
        "targets": counts.num_targets,
        "fill": round(counts.fill, 5),
        "too_long": len(counts.too_long),
        "unreadable": unreadable,
    }


async def train_files(packed: str, output_dir: str, settings: TrainSettings, pack: PackSettings) -> Path:
    """Train on a finished packed set, from the newest checkpoint if there is one; returns the student's folder.

    SIGINT and SIGTERM save a checkpoint first. Raises ValueError for a set that is not finished, RunFailed naming the
    log when training fails, Stopped after a signal.
    """
    if not PackedReader(packed).finished:
        raise ValueError(f"--packed {packed!r} holds no finished packed set")
    root = Path(output_dir).absolute()
    config = TrainConfig(
        packed=str(Path(packed).absolute()),
        output_dir=str(root / "train"),
        student_dir=str(root / "student"),
        tokenizer=str(Path(pack.tokenizer).absolute()),
        settings=settings,
    )
    path, log = root / "train" / "config.json", root / "logs" / "train.log"
    if _is_done(config, path):
        return root / "student"
    config.write(path)
    trainer = TrainerProcess(path, log, settings.num_ranks)
    received: list[int] = []
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        received.append(number)
        trainer.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    await trainer.start()
    showing = asyncio.create_task(_show_progress(root / "train" / "metrics.jsonl"))
    try:
        status = await trainer.wait()
    finally:
        showing.cancel()
    if received:
        raise Stopped(received[0])
    if status != EXIT_FINISHED:
        raise RunFailed(f"the trainer ended with status {status}: see {str(log)!r}")
    return root / "student"


def _is_done(config: TrainConfig, path: Path) -> bool:
    """Whether the very same training has ended before."""
    status = read_status(Path(config.output_dir))
    return (
        status is not None
        and status[0] == "finished"
        and (Path(config.student_dir) / "config.json").exists()
        and TrainConfig.read(path) == config
    )


def _documents(inputs: Sequence[str], settings: PackSettings, removed: list[dict[str, Any]]) -> Iterator[Document]:
    """Chosen rows as (name, turns); what cannot be read goes to `removed`."""
    for path in inputs:
        for row in read_rows(path):
            try:
                if row.value is None:
                    raise ValueError(row.error)
                teacher, category = row.value.get("model_name"), row.value.get("category")
                if settings.teachers and teacher not in settings.teachers:
                    continue
                if settings.categories and category not in settings.categories:
                    continue
                document = _document(row.value, f"{path}:{row.line}", teacher)
            except ValueError as error:
                evidence = {"file": str(path), "error": str(error)}
                record = {"id": str(row.line), "stage": "pack", "reason": "unreadable_line", "evidence": evidence}
                removed.append(record)
                continue
            yield document


def _document(value: dict[str, Any], place: str, teacher: object) -> Document:
    messages, response = value.get("messages"), value.get("response")
    if not isinstance(messages, list) or not messages:
        raise ValueError("no messages")
    turns = []
    for message in messages:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise ValueError("a message without role or content")
        turns.append((role, content))
    if isinstance(response, str):
        turns.append(("assistant", response))
    if turns[-1][0] != "assistant" or not turns[-1][1]:
        raise ValueError("no response")
    name = str(value.get("id") or place)
    return (f"{name}/{teacher}" if teacher else name), tuple(turns)


async def _show_progress(metrics: Path) -> None:
    shown = 0
    while True:
        await asyncio.sleep(_PROGRESS_S)
        record = newest_record(metrics)
        if record is not None and record["step"] != shown:
            shown = record["step"]
            rate = record["num_tokens"] / max(1e-9, record["end_unix_s"] - record["start_unix_s"])
            print(f"step {shown}  loss {record['loss']:.4f}  {rate:,.0f} tokens/s", file=sys.stderr, flush=True)
