"""Replies of a judge that came before: in memory, and on disk where a file is named, so that a run that is started
again pays for no reply twice. Equal questions that are asked at once share one reply.
"""

import asyncio
import sqlite3
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

import xxhash

Key = tuple[str, ...]


class ReplyStore:
    """For tasks of one event loop."""

    def __init__(self, path: str, size: int) -> None:
        self._size = size
        self._memory: OrderedDict[str, str] = OrderedDict()
        self._running: dict[str, asyncio.Future[str]] = {}
        self._file: sqlite3.Connection | None = None
        if path:
            self._file = _open(path)

    async def get(self, key: Key, ask: Callable[[], Awaitable[str]]) -> str:
        """The reply of `ask`, made at most once per key. What it raises is raised, and remembered by nobody."""
        name = xxhash.xxh3_128_hexdigest("\x00".join(key).encode("utf-8", "surrogatepass"))
        while True:
            known = self._known(name)
            if known is not None:
                return known
            running = self._running.get(name)
            if running is None:
                return await self._make(name, ask)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                if not running.cancelled():
                    raise  # we were cancelled, not who asks for us

    async def _make(self, name: str, ask: Callable[[], Awaitable[str]]) -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._running[name] = future
        try:
            reply = await ask()
        except asyncio.CancelledError:
            future.cancel()  # who waits asks for itself
            raise
        except Exception as error:
            future.set_exception(error)
            future.exception()  # told, also where nobody waits
            raise
        finally:
            del self._running[name]
        future.set_result(reply)
        self._remember(name, reply)
        return reply

    def _known(self, name: str) -> str | None:
        if name in self._memory:
            self._memory.move_to_end(name)
            return self._memory[name]
        if self._file is None:
            return None
        row = self._file.execute("SELECT reply FROM replies WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _remember(self, name: str, reply: str) -> None:
        self._memory[name] = reply
        while len(self._memory) > self._size:
            self._memory.popitem(last=False)
        if self._file is not None:
            with self._file:
                self._file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (name, reply))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _open(path: str) -> sqlite3.Connection:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE IF NOT EXISTS replies (name TEXT PRIMARY KEY, reply TEXT NOT NULL)")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ValueError(f"judge.cache_path: {path!r} is no store of replies: {error}") from None
    return connection
