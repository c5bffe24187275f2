"""What the journal says about queries, attempts and pairs: every statement and every question in one place."""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import zstandard

from reasonmill.engine.records import Attempt, Query, Reject
from reasonmill.engine.store.journal import Statement
from reasonmill.engine.store.readers import query_of_record, query_to_json
from reasonmill.verify.verdict import Verdict


class _Zstd(threading.local):
    """A compressor and a decompressor of each thread: two threads that use the same one crash the process."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedAttempt:
    """An attempt of the journal; `verdict` is None where the run died before it was judged."""

    ordinal: int
    attempt: Attempt
    verdict: Verdict | None
    quality: dict[str, float]


def insert_query(ordinal: int, query: Query) -> Statement:
    """A query that survived the whole-input pass."""
    return insert_record(ordinal, query.id, orjson.dumps(query_to_json(query)))


def insert_record(ordinal: int, query_id: str, record: bytes) -> Statement:
    """A query that survived the whole-input pass, as JSON; said again after a crash, it stands as it was."""
    return Statement("INSERT OR IGNORE INTO queries VALUES (?, ?, ?, NULL)", (ordinal, query_id, record))


def admit(ordinals: Sequence[int]) -> list[Statement]:
    """Queries that passed all of curation, in order; one statement for each stretch without a gap."""
    ends = [at for at in range(1, len(ordinals)) if ordinals[at] != ordinals[at - 1] + 1]
    stretches = zip([0, *ends], [*ends, len(ordinals)], strict=True) if ordinals else ()
    sql = "UPDATE queries SET admitted = 1 WHERE ordinal BETWEEN ? AND ?"
    return [Statement(sql, (ordinals[first], ordinals[end - 1])) for first, end in stretches]


def remove(ordinal: int, reject: Reject) -> list[Statement]:
    """A query that the streaming part of curation removed."""
    return [Statement("UPDATE queries SET admitted = 0 WHERE ordinal = ?", (ordinal,)), insert_reject(reject)]


def find_teacher(ordinal: int, query_id: str) -> list[Statement]:
    """A query that was removed because no teacher took it has one now."""
    taken_back = "DELETE FROM rejects WHERE query_id = ? AND teacher = '' AND reason = 'no_teacher'"
    return [Statement(taken_back, (query_id,)), *admit([ordinal])]


def insert_reject(reject: Reject) -> Statement:
    """What left the run; said again after a crash, it stands once."""
    return Statement(
        "INSERT OR REPLACE INTO rejects VALUES (?, ?, ?, ?, ?)",
        (reject.query_id, reject.teacher or "", reject.stage, reject.reason, orjson.dumps(reject.evidence)),
    )


def insert_attempt(ordinal: int, attempt: Attempt) -> Statement:
    """A generated answer, not judged yet."""
    return Statement(
        "INSERT INTO attempts (ordinal, teacher, number, seed, text, finish_reason, prompt_tokens,"
        " completion_tokens, duration_s, replica, saved_tokens) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ordinal,
            attempt.teacher,
            attempt.number,
            attempt.seed,
            _zstd.compressor.compress(attempt.text.encode("utf-8", "surrogatepass")),
            attempt.finish_reason,
            attempt.prompt_tokens,
            attempt.completion_tokens,
            attempt.duration_s,
            attempt.replica,
            attempt.saved_tokens,
        ),
    )


def judge(ordinal: int, attempt: Attempt, verdict: Verdict, quality: dict[str, float]) -> Statement:
    """The verdict on an attempt."""
    return Statement(
        "UPDATE attempts SET outcome = ?, score = ?, verifier = ?, reason = ?, detail = ?, verify_s = ?, quality = ?"
        " WHERE ordinal = ? AND teacher = ? AND number = ?",
        (
            verdict.outcome,
            verdict.score,
            verdict.verifier,
            verdict.reason,
            verdict.detail,
            verdict.duration_s,
            orjson.dumps(quality),
            ordinal,
            attempt.teacher,
            attempt.number,
        ),
    )


def settle(ordinal: int, teacher: str, number: int | None, last: int, reason: str) -> Statement:
    """The end of a pair: the accepted attempt, or None and the reason; `last` is the last attempt asked."""
    return Statement("INSERT INTO pairs VALUES (?, ?, ?, ?, ?)", (ordinal, teacher, number, last, reason))


def read_queries_after(connection: sqlite3.Connection, ordinal: int, limit: int) -> list[tuple[int, Query, int | None]]:
    """Up to `limit` (ordinal, query, admitted) above `ordinal`, in order."""
    rows = connection.execute(
        "SELECT ordinal, record, admitted FROM queries WHERE ordinal > ? ORDER BY ordinal LIMIT ?", (ordinal, limit)
    )
    return [(row[0], query_of_record(row[1]), row[2]) for row in rows]


def read_queries(connection: sqlite3.Connection, ordinals: Collection[int]) -> dict[int, Query]:
    """The queries of these ordinals."""
    rows = connection.execute(f"SELECT ordinal, record FROM queries WHERE ordinal IN {_places(ordinals)}", [*ordinals])
    found = {row[0]: query_of_record(row[1]) for row in rows}
    assert len(found) == len(ordinals), f"no query has one of the ordinals {ordinals}"
    return found


def _places(values: Collection[object]) -> str:
    return f"({', '.join('?' * len(values))})"


def read_without_teacher(connection: sqlite3.Connection, first: int, last: int) -> set[int]:
    """Ordinals from first to last of queries that were removed because no teacher took them."""
    rows = connection.execute(
        "SELECT ordinal FROM queries JOIN rejects ON query_id = id AND teacher = '' AND reason = 'no_teacher'"
        " WHERE ordinal BETWEEN ? AND ?",
        (first, last),
    )
    return {row[0] for row in rows}


def read_settled(connection: sqlite3.Connection, first: int, last: int) -> dict[tuple[int, str], int | None]:
    """Accepted attempt number, or None, of each settled pair with first <= ordinal <= last."""
    rows = connection.execute("SELECT ordinal, teacher, number FROM pairs WHERE ordinal BETWEEN ? AND ?", (first, last))
    return {(row[0], row[1]): row[2] for row in rows}


def read_decided_at(
    connection: sqlite3.Connection, first: int, last: int, teachers: Sequence[str]
) -> dict[int, tuple[int, int]]:
    """For ordinals from first to last: the last attempt over their settled pairs with these teachers, and how many of
    these pairs are settled.
    """
    rows = connection.execute(
        "SELECT ordinal, max(last), count(*) FROM pairs WHERE ordinal BETWEEN ? AND ?"
        f" AND teacher IN {_places(teachers)} GROUP BY ordinal",
        (first, last, *teachers),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def read_decided_blocks(
    teachers: Sequence[str], block_queries: int, connection: sqlite3.Connection
) -> list[tuple[int, int]]:
    """(block of so many ordinals, last attempt) of the queries that have a settled pair with these teachers."""
    return connection.execute(
        "SELECT DISTINCT ordinal / ?, last FROM (SELECT ordinal, max(last) AS last FROM pairs"
        f" WHERE teacher IN {_places(teachers)} GROUP BY ordinal)",
        (block_queries, *teachers),
    ).fetchall()


def read_history(
    connection: sqlite3.Connection, first: int, last: int
) -> dict[tuple[int, str], tuple[JudgedAttempt, ...]]:
    """The attempts of each pair with first <= ordinal <= last that has any, by number."""
    rows = connection.execute(
        f"SELECT {_ATTEMPT_COLUMNS} FROM attempts JOIN queries USING (ordinal)"
        " WHERE ordinal BETWEEN ? AND ? ORDER BY ordinal, teacher, number",
        (first, last),
    )
    found: dict[tuple[int, str], list[JudgedAttempt]] = defaultdict(list)
    for row in rows:
        judged = _judged(row)
        found[judged.ordinal, judged.attempt.teacher].append(judged)
    return {pair: tuple(attempts) for pair, attempts in found.items()}


def read_accepted(
    connection: sqlite3.Connection, ordinals: Sequence[int], teachers: Sequence[str], *, everything: bool = False
) -> list[JudgedAttempt]:
    """The accepted attempt of each pair of these queries and teachers that has one, or all its accepted attempts with
    `everything`; by ordinal, then in the order of `teachers`, then by number.
    """
    which = "pairs.number IS NOT NULL AND outcome = 'pass'" if everything else "attempts.number = pairs.number"
    sql = (
        f"SELECT {_ATTEMPT_COLUMNS} FROM pairs JOIN attempts USING (ordinal, teacher)"
        f" JOIN queries USING (ordinal) WHERE ordinal IN {_places(ordinals)} AND teacher IN {_places(teachers)}"
        f" AND {which}"
    )
    rows = connection.execute(sql, (*ordinals, *teachers))
    place = {teacher: index for index, teacher in enumerate(teachers)}
    return sorted((_judged(row) for row in rows), key=lambda j: (j.ordinal, place[j.attempt.teacher], j.attempt.number))


_ATTEMPT_COLUMNS = (
    "ordinal, id, teacher, attempts.number, seed, text, finish_reason, prompt_tokens, completion_tokens, duration_s,"
    " outcome, score, verifier, attempts.reason, detail, verify_s, quality, replica, saved_tokens"
)


def _judged(row: tuple[Any, ...]) -> JudgedAttempt:
    verdict = None
    if row[10] is not None:
        verdict = Verdict(
            outcome=row[10], score=row[11], verifier=row[12], reason=row[13], detail=row[14], duration_s=row[15]
        )
    return JudgedAttempt(
        ordinal=row[0],
        attempt=Attempt(
            query_id=row[1],
            teacher=row[2],
            number=row[3],
            seed=row[4],
            text=_zstd.decompressor.decompress(row[5]).decode("utf-8", "surrogatepass"),
            finish_reason=row[6],
            prompt_tokens=row[7],
            completion_tokens=row[8],
            duration_s=row[9],
            replica=row[17],
            saved_tokens=row[18],
        ),
        verdict=verdict,
        quality=orjson.loads(row[16]) if row[16] else {},
    )
