"""Admission of a chunk of queries: those named, and no other."""

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.store import ledger
from reasonmill.engine.store.schema import SCHEMA


@given(st.sets(st.integers(0, 30)))
def test_those_named_are_admitted_in_one_statement_for_each_stretch(admitted):
    ordinals = sorted(admitted)
    with closing(sqlite3.connect(":memory:")) as journal:
        journal.executescript(SCHEMA)
        journal.executemany("INSERT INTO queries VALUES (?, ?, x'', NULL)", [(n, str(n)) for n in range(31)])
        statements = ledger.admit(ordinals)
        for statement in statements:
            journal.execute(statement.sql, statement.values)
        found = journal.execute("SELECT ordinal FROM queries WHERE admitted = 1 ORDER BY 1").fetchall()
    assert [ordinal for (ordinal,) in found] == ordinals
    assert len(statements) == sum(ordinal - 1 not in admitted for ordinal in admitted)
