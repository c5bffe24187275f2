"""Vectors of texts that were encoded before, by the text's content, in one SQLite file for each encoder.

A text is encoded once for all runs that name the same folder. What is in the file is whole: a process that is killed
leaves what it had finished, and several may write at once.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from reasonmill.engine.faults import RunFailed

_ASKED = 500  # keys of one question: SQLite takes 32,766 and more
_BUSY_S = 60.0  # that another writer is waited for


class VectorCache:
    """Opened for one encoder, named by its identity. Use as a context manager, in one thread."""

    def __init__(self, folder: str, identity: str) -> None:
        """Raises ValueError for a folder or file that is none, or not of this encoder."""
        self.path = Path(folder) / f"vectors-{xxhash.xxh3_64_hexdigest(identity.encode())}.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"embeddings.cache: {folder!r} is no folder") from None
        with self._named():
            self._connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS encoder (identity TEXT PRIMARY KEY)")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, pieces INTEGER, content BLOB) WITHOUT ROWID"
            )
            self._connection.execute("INSERT OR IGNORE INTO encoder VALUES (?)", (identity,))
            known = [row[0] for row in self._connection.execute("SELECT identity FROM encoder")]
        if known != [identity]:
            raise ValueError(f"embeddings.cache: {str(self.path)!r} holds vectors of {known[0]!r}, not of {identity!r}")

    def find(self, texts: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of those texts that are known, float32 [pieces, D] each."""
        keys = {_key(text): text for text in texts}
        found = {}
        wanted = list(keys)
        with self._named():
            for start in range(0, len(wanted), _ASKED):
                some = wanted[start : start + _ASKED]
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(f"SELECT * FROM vectors WHERE text IN ({marks})", some)
                for key, pieces, content in rows:
                    found[keys[key]] = np.frombuffer(content, np.float32).reshape(pieces, -1)
        return found

    def keep(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Remember them, in one transaction."""
        rows = [(_key(text), len(array), array.astype(np.float32).tobytes()) for text, array in vectors.items()]
        with self._named():
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What SQLite says of the file, as an error that names it."""
        try:
            yield
        except sqlite3.OperationalError as error:  # a full disk, a lock that is never given up
            raise RunFailed(f"the cache of vectors {str(self.path)!r}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"embeddings.cache: {str(self.path)!r}: {error}") from error


def _key(text: str) -> bytes:
    return xxhash.xxh3_128_digest(text.encode("utf-8", "surrogatepass"))
