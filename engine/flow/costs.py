"""What an accepted sample cost, by teacher and category: attempts and generated tokens for each that was accepted.
A right answer that came beside the accepted one, as the drain makes them, is a cost and no sample.
"""

import sqlite3
from typing import Any

from reasonmill.engine.store.accepted import accepted_attempts


def read_costs(connection: sqlite3.Connection, mode: str) -> list[dict[str, Any]]:
    """One entry for each teacher and category that was asked, by teacher and category. `tokens_per_accepted` counts all
    tokens that were generated, those of rejected and broken-off answers included; None where nothing was accepted.
    """
    kept = accepted_attempts(mode)
    rows = connection.execute(
        "SELECT teacher, json_extract(CAST(record AS TEXT), '$.category') AS category, count(*),"
        f" count(*) FILTER (WHERE {kept}), sum(completion_tokens),"
        f" coalesce(sum(completion_tokens) FILTER (WHERE {kept}), 0), sum(saved_tokens)"
        " FROM attempts JOIN queries USING (ordinal) LEFT JOIN pairs USING (ordinal, teacher)"
        " GROUP BY teacher, category ORDER BY teacher, category"
    )
    return [
        {
            "teacher": teacher,
            "category": category,
            "attempts": attempts,
            "accepted": accepted,
            "generated_tokens": generated,
            "accepted_tokens": accepted_tokens,
            "saved_tokens": saved,
            "attempts_per_accepted": attempts / accepted if accepted else None,
            "tokens_per_accepted": generated / accepted if accepted else None,
        }
        for teacher, category, attempts, accepted, generated, accepted_tokens, saved in rows
    ]
