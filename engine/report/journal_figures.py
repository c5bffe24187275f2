"""What only the journal knows: how pairs of query and teacher ended, by category, and why attempts failed."""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from reasonmill.engine.store.journal import JournalError, open_for_reading


@dataclass(kw_only=True)
class JournalFigures:
    """Counts over the whole run up to now."""

    num_queries: int = 0  # that survived the whole-input pass
    num_removed_later: int = 0  # of these, by the streaming part of curation
    rejects: Counter[tuple[str, str]] = field(default_factory=Counter)  # (stage, reason), whole queries
    pair_rejects: Counter[tuple[str, str]] = field(default_factory=Counter)  # (stage, reason), of one teacher
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # (teacher, category), decided
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)  # (teacher, category)
    accepted_by_number: Counter[int] = field(default_factory=Counter)  # number of the accepted attempt
    unanswered: Counter[str] = field(default_factory=Counter)  # by reason
    answered_by: Counter[int] = field(default_factory=Counter)  # queries by how many teachers answered them
    attempts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (teacher, outcome, reason)
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)  # (teacher, outcome), completion tokens

    @property
    def accepted_tokens(self) -> int:
        """Completion tokens of the attempts that passed."""
        return sum(number for (_, outcome), number in self.tokens.items() if outcome == "pass")

    @property
    def generated_tokens(self) -> int:
        """Completion tokens of all attempts."""
        return sum(self.tokens.values())


_CATEGORY = "json_extract(CAST(q.record AS TEXT), '$.category')"


def read_journal(path: Path) -> JournalFigures:
    """Figures of a journal. Raises JournalError where it cannot be read or is another version's."""
    if not path.is_file():
        raise JournalError("there is none")
    connection = open_for_reading(path)
    try:
        return _read(connection)
    except sqlite3.Error as error:
        raise JournalError(f"it cannot be read: {error}") from error
    finally:
        connection.close()


def _read(connection: sqlite3.Connection) -> JournalFigures:
    num_queries, removed = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE admitted = 0) FROM queries"
    ).fetchone()
    figures = JournalFigures(num_queries=num_queries, num_removed_later=removed)
    for teacher, stage, reason, number in connection.execute(
        "SELECT teacher, stage, reason, count(*) FROM rejects GROUP BY teacher = '', stage, reason"
    ):
        (figures.pair_rejects if teacher else figures.rejects)[stage, reason] += number
    for teacher, category, number, accepted in connection.execute(
        f"SELECT p.teacher, {_CATEGORY} AS category, count(*), count(p.number)"
        " FROM pairs p JOIN queries q USING (ordinal) GROUP BY p.teacher, category"
    ):
        figures.pairs[teacher, str(category)] += number
        figures.accepted[teacher, str(category)] += accepted
    for reason, number in connection.execute("SELECT reason, count(*) FROM pairs WHERE number IS NULL GROUP BY reason"):
        figures.unanswered[reason] = number
    for attempt, number in connection.execute(
        "SELECT number, count(*) FROM pairs WHERE number IS NOT NULL GROUP BY number"
    ):
        figures.accepted_by_number[attempt] = number
    for answers, number in connection.execute(
        "SELECT answers, count(*) FROM (SELECT count(number) AS answers FROM pairs GROUP BY ordinal) GROUP BY answers"
    ):
        figures.answered_by[answers] = number
    for teacher, outcome, reason, number, tokens in connection.execute(
        "SELECT teacher, coalesce(outcome, 'not judged'), coalesce(reason, ''), count(*), sum(completion_tokens)"
        " FROM attempts GROUP BY 1, 2, 3"
    ):
        figures.attempts[teacher, outcome, reason] += number
        figures.tokens[teacher, outcome] += tokens
    return figures
