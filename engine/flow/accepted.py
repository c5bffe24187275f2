"""What the journal holds of decided queries: their accepted samples, in query order, and what does not survive. A part
of the queries is read at a time, so that memory holds the answers of that part alone.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from reasonmill.engine.distill.conversation import messages_of_round
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.records import Query, Reject, Sample
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import open_for_reading
from reasonmill.verify.answer import split_response

PART_QUERIES = 8  # read at once: with three teachers and answers of 100,000 characters some 7 MB


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The answers of these teachers; `eligible` names those of them that a query is asked of."""

    teachers: Sequence[str]
    eligible: Callable[[Query], tuple[str, ...]]
    attempts: AttemptSettings

    def read(
        self, first: int, end: int, belongs: Callable[[int], bool], connection: sqlite3.Connection
    ) -> tuple[list[Sample], list[Reject]]:
        """Samples of the ordinals from `first` to `end` - 1 that survive, in order, and what does not survive: of the
        queries decided at an attempt number that `belongs`. All of it as of one moment.
        """
        connection.execute("BEGIN")
        try:
            return self._read(first, end - 1, belongs, connection)
        finally:
            connection.execute("COMMIT")

    def stream(self, journal: Path, first: int, end: int, belongs: Callable[[int], bool]) -> Iterator[Sample]:
        """The samples of a longer stretch of decided queries, over a connection of its own, a part at a time."""
        with closing(open_for_reading(journal)) as connection:
            for start in range(first, end, PART_QUERIES):
                yield from self.read(start, min(start + PART_QUERIES, end), belongs, connection)[0]

    def _read(
        self, first: int, last: int, belongs: Callable[[int], bool], connection: sqlite3.Connection
    ) -> tuple[list[Sample], list[Reject]]:
        decided_at = ledger.read_decided_at(connection, first, last, self.teachers)
        ordinals = [ordinal for ordinal, (attempt, _) in decided_at.items() if belongs(attempt)]
        if not ordinals:
            return [], []
        everything = self.attempts.mode == "k_pass"
        accepted = ledger.read_accepted(connection, ordinals, self.teachers, everything=everything)
        answered: dict[int, set[str]] = defaultdict(set)
        for judged in accepted:
            answered[judged.ordinal].add(judged.attempt.teacher)
        queries = ledger.read_queries(connection, answered)
        samples, rejects = [], []
        for judged in accepted:
            query = queries[judged.ordinal]
            asked = set(self.eligible(query))
            if decided_at[judged.ordinal][1] < len(asked):
                continue
            if self.attempts.survive == "intersection" and answered[judged.ordinal] != asked:
                rejects.append(_not_all_teachers(judged))
            else:
                samples.append(_sample(self._as_asked(query, judged, connection), judged))
        return samples, rejects

    def _as_asked(self, query: Query, judged: ledger.JudgedAttempt, connection: sqlite3.Connection) -> Query:
        """The query with the messages that the accepted attempt answered."""
        number = judged.attempt.number
        if self.attempts.mode != "multi_round" or number == 1:
            return query
        history = ledger.read_history(connection, judged.ordinal, judged.ordinal)
        earlier = {past.attempt.number: past.attempt.text for past in history[judged.ordinal, judged.attempt.teacher]}
        last_answer = split_response(earlier[number - 1]).answer
        return replace(query, messages=messages_of_round(query.messages, last_answer))


def _not_all_teachers(judged: ledger.JudgedAttempt) -> Reject:
    return Reject(
        query_id=judged.attempt.query_id,
        teacher=judged.attempt.teacher,
        stage="intersect",
        reason="not_all_teachers",
        evidence={"accepted_attempt": judged.attempt.number},
    )


def _sample(query: Query, judged: ledger.JudgedAttempt) -> Sample:
    parts = split_response(judged.attempt.text)
    assert judged.verdict is not None, "an accepted attempt has a verdict"
    return Sample(
        query=query,
        attempt=judged.attempt,
        verdict=judged.verdict,
        think=parts.think or "",
        answer=parts.answer or "",
        quality=judged.quality,
    )
