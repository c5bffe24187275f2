"""The ledger is asked from several threads at once."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from reasonmill.engine.records import Attempt, Message, Query
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import open_for_reading, open_for_writing

_THREADS, _ROUNDS = 4, 40


def _attempt(number: int) -> Attempt:
    text = " ".join(f"{number * step} is {number} times {step}." for step in range(400))
    return Attempt(
        query_id="q", teacher="t", number=number, seed=number, text=text, finish_reason="stop",
        prompt_tokens=1, completion_tokens=1, duration_s=1.0,
    )  # fmt: skip


def test_answers_are_compressed_and_read_in_several_threads_at_once(tmp_path):
    path = tmp_path / "journal.sqlite"
    attempts = {number: _attempt(number) for number in range(1, 9)}
    query = Query(id="q", messages=(Message(role="user", content="?"),), category="math", source="s")
    with closing(open_for_writing(path)) as writer:
        writer.execute(*ledger.insert_query(0, query))
        for attempt in attempts.values():
            writer.execute(*ledger.insert_attempt(0, attempt))

    def work(connection: sqlite3.Connection) -> None:
        for _ in range(_ROUNDS):
            history = ledger.read_history(connection, 0, 0)[0, "t"]
            assert {past.attempt.number: past.attempt.text for past in history} == {
                number: attempt.text for number, attempt in attempts.items()
            }
            for attempt in attempts.values():
                ledger.insert_attempt(0, attempt)

    connections = [open_for_reading(path) for _ in range(_THREADS)]
    with ThreadPoolExecutor(_THREADS) as pool:
        assert list(pool.map(work, connections)) == [None] * _THREADS
    for connection in connections:
        connection.close()
