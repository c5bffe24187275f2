"""The memory of a run: SQLite in WAL mode, written by one thread, in the order in which things were said.

What the journal has acknowledged survives `kill -9`; writes are grouped into transactions, so that an acknowledged
write costs a share of one fsync. Text is compressed. Nothing here keeps more than one group in memory.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.store.schema import SCHEMA, SCHEMA_VERSION

T = TypeVar("T")

GROUP_WINDOW_S = 0.02  # two cores: 20 ms groups ~8 records at 400 records/s and adds nothing to a 100 ms generation
# Pages of 4 KiB in the log before they go to their places: 32 MiB. CPU of an answer with 10,000 in flight: SQLite's
# own 1,000 pages: 31 us, these: 27.
CHECKPOINT_PAGES = 8000
MAX_PENDING = 4096  # statements waiting for the writer before the sayers wait


class JournalError(RunFailed):
    """The journal cannot be read or written; the message names file and cause."""


class Statement(NamedTuple):
    """One SQL statement with its values; a tuple, since an attempt makes three and a frozen dataclass costs twice."""

    sql: str
    values: tuple[Any, ...] = ()


class Journal:
    """One run's journal. Use as an async context manager; `say` queues, `flush` waits until all said is on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[Statement] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Condition()
        self._said = 0
        self._committed = 0
        self._failure: BaseException | None = None
        self._closing = False
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-write")
        self._read_thread = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Journal":
        loop = asyncio.get_running_loop()
        self._writer = await loop.run_in_executor(self._write_thread, open_for_writing, self.path)
        self._reader = await loop.run_in_executor(self._read_thread, open_for_reading, self.path)
        self._task = asyncio.create_task(self._write_groups(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        assert self._task is not None, "left a journal that was never entered"
        await asyncio.shield(self._task)
        loop = asyncio.get_running_loop()
        for thread, connection, close in (
            (self._read_thread, self._reader, sqlite3.Connection.close),
            (self._write_thread, self._writer, _close_whole),
        ):
            if connection is not None:
                await loop.run_in_executor(thread, close, connection)
            thread.shutdown()

    async def say(self, *statements: Statement) -> None:
        """Queue statements that are committed together, in the order of all that is said."""
        self._raise_failure()
        self._pending.extend(statements)
        self._said += len(statements)
        self._wake.set()
        if len(self._pending) > MAX_PENDING:
            async with self._room:
                await self._room.wait_for(lambda: len(self._pending) <= MAX_PENDING or self._failure is not None)
            self._raise_failure()

    async def flush(self) -> None:
        """Return when everything said so far is on disk."""
        target = self._said
        async with self._room:
            await self._room.wait_for(lambda: self._committed >= target or self._failure is not None)
        self._raise_failure()

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Result of `query` on a read-only connection, in the reading thread; sees all that was flushed."""
        self._raise_failure()
        assert self._reader is not None, "read from a journal that was never entered"
        return await asyncio.get_running_loop().run_in_executor(self._read_thread, query, self._reader)

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one SELECT."""
        return await self.read(lambda connection: connection.execute(sql, values).fetchall())

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise JournalError(f"journal {str(self.path)!r} cannot be written: {self._failure}") from self._failure

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending:
                group, self._pending = self._pending, []
                try:
                    await loop.run_in_executor(self._write_thread, self._commit, group)
                except (sqlite3.Error, OSError) as error:
                    self._failure = error
                async with self._room:
                    self._committed += len(group)
                    self._room.notify_all()
                if self._failure is not None:
                    return
                if not self._closing:
                    await asyncio.sleep(GROUP_WINDOW_S)
            if self._closing and not self._pending:
                return

    def _commit(self, group: list[Statement]) -> None:
        assert self._writer is not None, "commit on a journal that was never entered"
        with self._writer:
            cursor = self._writer.execute("BEGIN IMMEDIATE")
            for sql, values in group:
                cursor.execute(sql, values)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Connection to the journal at `path`, made if there is none. Raises JournalError."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.executescript(SCHEMA)
        found = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        if found is None:
            connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(SCHEMA_VERSION),))
        elif int(found[0]) != SCHEMA_VERSION:
            raise JournalError(f"journal {str(path)!r} has schema {found[0]}, this version reads {SCHEMA_VERSION}")
    except sqlite3.Error as error:
        raise JournalError(f"journal {str(path)!r} cannot be opened: {error}") from error
    return connection


def _close_whole(connection: sqlite3.Connection) -> None:
    """Close the writer's connection so that the journal is one file, which later readers leave as it is."""
    try:
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute("PRAGMA journal_mode=DELETE")
    except (
        sqlite3.OperationalError
    ):  # somebody reads it, or the disk is full: the log stays beside it, which is as good
        pass
    finally:
        connection.close()


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Read-only connection to the journal at `path`. Raises JournalError."""
    try:
        return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=10)
    except sqlite3.Error as error:
        raise JournalError(f"journal {str(path)!r} cannot be opened: {error}") from error


def meta_statement(key: str, value: Any) -> Statement:
    """Statement that sets a value of the run itself."""
    return Statement("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, orjson.dumps(value).decode()))
