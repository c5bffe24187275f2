"""Steps of a run's curation that need all queries: made once, remembered, and told to the journal."""

import asyncio
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.curate.settings import AskSettings, CurateSettings, TagSettings
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.flow.curation import Curation
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import QueriesSettings
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.engine.teachers.settings import TeacherSettings


def write(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return str(path)


QUESTIONS: list[dict[str, object]] = [
    {"id": str(n), "prompt": f"What is the sum of {n} and {n + 7}?", "category": "math"} for n in range(6)
]


def settings(folder: Path) -> CurateSettings:
    easy = [{"query_id": f"difficulty/{n}", "responses": [{"text": '{"difficulty": "easy"}'}]} for n in range(3)]
    hard = [{"query_id": f"difficulty/{n}", "responses": [{"text": '{"difficulty": "hard"}'}]} for n in range(3, 6)]
    model = TeacherSettings(name="judge", kind="scripted", script=write(folder / "script.jsonl", [*easy, *hard]))
    tags = TagSettings(difficulty=True, keep={"difficulty:easy": 0.0})
    return CurateSettings(tags=tags, ask=AskSettings(teacher=model))


async def curated(folder: Path, curate: CurateSettings, *, fill: bool) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Tags by id of the queries in the journal, and the reasons of the rejects."""
    paths = (str(folder / "q.jsonl"),)
    with closing(Telemetry(folder)) as telemetry:
        async with (
            Journal(folder / "journal.sqlite") as journal,
            Curation(journal, paths, QueriesSettings(paths=paths), curate, [], folder / "held", telemetry) as curation,
        ):
            if fill:
                await curation.fill()
            rows = await journal.read(lambda c: ledger.read_queries_after(c, -1, 100))
            reasons = await journal.rows("SELECT reason FROM rejects")
    return {query.id: query.tags for _, query, _ in rows}, [reason for (reason,) in reasons]


def test_labels_reach_the_journal_and_a_model_is_asked_once(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", QUESTIONS)
    curate = settings(tmp_path)
    assert asyncio.run(curated(tmp_path, curate, fill=False)) == ({}, [])
    (tmp_path / "script.jsonl").unlink()  # who asked again would find no script
    found = asyncio.run(curated(tmp_path, curate, fill=True))
    assert found == ({str(n): {"difficulty": "hard"} for n in range(3, 6)}, ["downsampled_difficulty"] * 3)
    assert asyncio.run(curated(tmp_path, curate, fill=True)) == found


def test_a_model_that_cannot_be_asked_ends_the_run_with_its_name(tmp_path: Path) -> None:
    write(tmp_path / "q.jsonl", QUESTIONS)
    curate = settings(tmp_path)
    (tmp_path / "script.jsonl").unlink()
    with pytest.raises((ValueError, RunFailed), match=r"script\.jsonl' does not exist"):
        asyncio.run(curated(tmp_path, curate, fill=True))
