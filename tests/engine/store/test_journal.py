"""The journal: order, acknowledgement, failure, and what a killed process leaves."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from reasonmill.engine.store.journal import Journal, JournalError, Statement, meta_statement


def test_what_was_flushed_is_read_in_the_order_it_was_said(tmp_path):
    async def scenario():
        async with Journal(tmp_path / "j.sqlite") as journal:
            for value in range(500):
                await journal.say(meta_statement("last", value), meta_statement(f"k{value}", value))
            await journal.flush()
            return await journal.rows("SELECT value FROM meta WHERE key = 'last'"), await journal.rows(
                "SELECT count(*) FROM meta"
            )

    last, count = asyncio.run(scenario())
    assert last == [("499",)]
    assert count == [(502,)]  # and the schema's version


def test_a_statement_that_fails_fails_every_later_call_and_names_the_file(tmp_path):
    async def scenario():
        async with Journal(tmp_path / "j.sqlite") as journal:
            await journal.say(Statement("INSERT INTO nowhere VALUES (1)"))
            with pytest.raises(JournalError, match=r"j\.sqlite"):
                await journal.flush()
            with pytest.raises(JournalError, match="nowhere"):
                await journal.say(meta_statement("a", 1))

    asyncio.run(scenario())


def test_statements_said_together_are_committed_together(tmp_path):
    async def scenario():
        async with Journal(tmp_path / "j.sqlite") as journal:
            await journal.say(meta_statement("a", 1), Statement("INSERT INTO nowhere VALUES (1)"))
            with pytest.raises(JournalError):
                await journal.flush()
        async with Journal(tmp_path / "j.sqlite") as journal:
            return await journal.rows("SELECT count(*) FROM meta WHERE key = 'a'")

    assert asyncio.run(scenario()) == [(0,)]


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    program = textwrap.dedent("""
        import asyncio, sys
        from pathlib import Path
        from reasonmill.engine.store.journal import Journal, meta_statement

        async def main():
            async with Journal(Path(sys.argv[1])) as journal:
                for value in range(10**6):
                    await journal.say(meta_statement(f"k{value}", value))
                    if value % 10 == 0:
                        await journal.flush()
                        print(value, flush=True)

        asyncio.run(main())
    """)
    path = tmp_path / "j.sqlite"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(child.stdout.readline()) for _ in range(8)]
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()

    async def count():
        async with Journal(path) as journal:
            return {int(k[1:]) for (k,) in await journal.rows("SELECT key FROM meta WHERE key LIKE 'k%'")}

    kept = asyncio.run(count())
    assert set(range(acknowledged[-1] + 1)) <= kept
    assert kept == set(range(len(kept)))  # no hole: the end is cut, nothing else


def test_a_file_that_is_no_journal_is_named(tmp_path):
    (tmp_path / "j.sqlite").write_bytes(b"something else" * 100)

    async def scenario():
        async with Journal(tmp_path / "j.sqlite"):
            pass

    with pytest.raises(JournalError, match=r"j\.sqlite"):
        asyncio.run(scenario())
