"""How often each query was answered rightly: the difficulty grades of mode k_pass (arXiv 2504.17565 Eq. 5).

`pass_rates.jsonl` holds one line for each query and teacher, in query order. A pass rate counts the answers that were
judged; a check that could not be made counts for nothing, and a pair without any verdict has no pass rate.
"""

import sqlite3
from collections import Counter
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson

from reasonmill.engine.store.aside import whole_file

_ATTEMPTS = (
    "SELECT ordinal, teacher, id, json_extract(CAST(record AS TEXT), '$.category'), outcome, score"
    " FROM pairs JOIN attempts USING (ordinal, teacher) JOIN queries USING (ordinal)"
    " ORDER BY ordinal, teacher, attempts.number"
)


def write_pass_rates(connection: sqlite3.Connection, path: Path) -> dict[str, dict[str, int]]:
    """Write the lines; returns for each teacher how many of its queries were right so many times: `{"t": {"3/4": 7}}`.
    Constant memory.
    """
    seen: dict[str, Counter[str]] = {}
    with whole_file(path) as stream:
        for (_, teacher, id, category), attempts in groupby(connection.execute(_ATTEMPTS), itemgetter(0, 1, 2, 3)):
            line = _line(id, teacher, category, [(outcome, score) for *_, outcome, score in attempts])
            stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            seen.setdefault(teacher, Counter())[f"{line['passed']}/{line['judged']}"] += 1
    return {teacher: dict(sorted(counts.items())) for teacher, counts in sorted(seen.items())}


def _line(id: str, teacher: str, category: str, verdicts: list[tuple[str | None, float | None]]) -> dict[str, Any]:
    judged = [outcome for outcome, _ in verdicts if outcome in ("pass", "fail")]
    passed = judged.count("pass")
    return {
        "id": id,
        "category": category,
        "teacher": teacher,
        "responses": len(verdicts),
        "judged": len(judged),
        "passed": passed,
        "pass_rate": passed / len(judged) if judged else None,
        "scores": [score for _, score in verdicts],
    }
