"""Curation of a run: queries leave before the last one is in the journal, and a death changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.flow import curation
from reasonmill.engine.flow.curation import Curation
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import QueriesSettings
from reasonmill.engine.store.journal import Journal


def write_queries(folder: Path, count: int) -> tuple[str, ...]:
    rows: list[dict[str, object]] = [
        {"id": f"q{n}", "prompt": f"How many are {n} and {n + 7} boxes?"} for n in range(count)
    ]
    rows[3]["prompt"] = "See https://example.com/x"
    rows += [{"id": "q5", "prompt": "another question"}, {"id": "q7", "prompt": rows[7]["prompt"]}, {"no": "prompt"}]
    (folder / "q.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return (str(folder / "q.jsonl"),)


@asynccontextmanager
async def opened(folder: Path, paths: tuple[str, ...], **settings: int) -> AsyncIterator[tuple[Journal, Curation]]:
    queries = QueriesSettings(paths=paths, max_unreadable_share=0.5, **settings)  # type: ignore[arg-type]
    telemetry = Telemetry(folder)
    try:
        async with Journal(folder / "journal.sqlite") as journal:
            made = Curation(journal, paths, queries, CurateSettings(), [], folder / "curation", telemetry)
            async with made:
                yield journal, made
    finally:
        telemetry.close()


async def contents(journal: Journal) -> tuple[object, ...]:
    await journal.flush()
    queries = await journal.rows("SELECT ordinal, id, record, admitted FROM queries ORDER BY ordinal")
    rejects = await journal.rows("SELECT * FROM rejects ORDER BY query_id, teacher")
    return queries, rejects, dict(await journal.rows("SELECT key, value FROM meta"))


async def whole(folder: Path, paths: tuple[str, ...]) -> tuple[object, ...]:
    async with opened(folder, paths) as (journal, made):
        await made.fill()
        return await contents(journal)


def test_the_first_queries_leave_before_the_last_is_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curation, "_FIRST_BATCH", 8)

    async def run() -> None:
        async with opened(tmp_path, write_queries(tmp_path, 400)) as (journal, made):
            assert made.num_queries == 399
            async with asyncio.TaskGroup() as group:
                filling = group.create_task(made.fill())
                await made.reach(0)
                ((there,),) = await journal.rows("SELECT count(*) FROM queries")
                assert 8 <= there < 399
                assert not filling.done()
            await made.reach(398)

    asyncio.run(run())
    assert not (tmp_path / "curation").exists(), "what was set aside is removed"


def test_every_row_is_a_query_or_a_reject_of_the_journal(tmp_path: Path) -> None:
    queries, rejects, meta = asyncio.run(whole(tmp_path, write_queries(tmp_path, 30)))
    assert [row[:2] for row in queries[:5]] == [(0, "q0"), (1, "q1"), (2, "q2"), (3, "q4"), (4, "q5")]  # type: ignore[index]
    found = {row[0]: row[3] for row in rejects}  # type: ignore[attr-defined]
    assert {"q3": "url", "q5#0": "repeated_id", "q7#1": "exact_duplicate"}.items() <= found.items()
    assert sorted(found.values()) == ["exact_duplicate", "repeated_id", "unreadable_line", "url"]
    assert (meta["num_queries"], meta["queries_in"]) == ("29", "33")  # type: ignore[index]


@pytest.mark.parametrize("batches", [1, 3])
def test_a_run_that_dies_while_it_fills_the_journal_fills_it_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    paths = write_queries(tmp_path, 300)
    folders = [tmp_path / name for name in ("undisturbed", "killed")]
    for folder in folders:
        folder.mkdir()
    expected = asyncio.run(whole(folders[0], paths))
    monkeypatch.setattr(curation, "_FIRST_BATCH", 16)

    async def die() -> None:
        async with opened(folders[1], paths) as (journal, made):
            filling = asyncio.create_task(made.fill())
            await made.reach(16 * (2**batches - 1) - 1)
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)
            await journal.rows("SELECT 1")

    async def admit_one() -> None:
        async with Journal(folders[1] / "journal.sqlite") as journal:
            await journal.say(curation.ledger.admit([2])[0])
            await journal.flush()

    asyncio.run(die())
    asyncio.run(admit_one())
    found = asyncio.run(whole(folders[1], paths))
    assert found[0][2][3] == 1, "what was decided since stays decided"  # type: ignore[index]
    assert [row[:3] for row in found[0]] == [row[:3] for row in expected[0]]  # type: ignore[attr-defined]
    assert found[1:] == expected[1:]


def test_inputs_that_changed_since_are_refused_even_if_the_journal_was_not_full(tmp_path: Path) -> None:
    paths = write_queries(tmp_path, 300)

    async def die() -> None:
        async with opened(tmp_path, paths) as (_, made):
            filling = asyncio.create_task(made.fill())
            await made.reach(0)
            filling.cancel()
            await asyncio.gather(filling, return_exceptions=True)

    asyncio.run(die())
    write_queries(tmp_path, 299)
    with pytest.raises(ValueError, match=r"--resume: '.*q\.jsonl' has changed since the run began"):
        asyncio.run(whole(tmp_path, paths))


def test_a_limit_counts_ids(tmp_path: Path) -> None:
    rows = [{"id": f"{n // 2}", "prompt": f"How many are {n // 2} boxes?"} for n in range(40)]
    (tmp_path / "q.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    async def run() -> int:
        async with opened(tmp_path, (str(tmp_path / "q.jsonl"),), limit=5) as (_, made):
            return made.num_queries

    assert asyncio.run(run()) == 5
