"""Simulated queries: each names its category and a number of its own, and its right answer follows from its text alone,
so that a teacher that never saw the query file can answer rightly, and the real verifiers accept it.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from reasonmill.engine.records import Message, Query, content_id
from reasonmill.engine.simulation.draws import shares
from reasonmill.engine.simulation.profiles import category_shares
from reasonmill.engine.simulation.texts import VOCABULARY
from reasonmill.engine.store.aside import write_whole
from reasonmill.engine.store.readers import query_to_json

STORY_WORDS = 40

_MARK = re.compile(r"SIM-([a-z]+)-([0-9a-f]{16})\b")
_ASKS = {
    "math": "Simulated problem {mark}. Give the number that belongs to it in \\boxed{{}}.",
    "science": "Simulated science question {mark}. Give the number that belongs to it in \\boxed{{}}.",
    "other": "Simulated question {mark}. Give the number that belongs to it in \\boxed{{}}.",
    "multiturn": "Simulated turn {mark}. Give the number that belongs to it in \\boxed{{}}.",
    "code": "Simulated task {mark}. Write a Python function answer() that returns the number that belongs to it.",
    "if": "Simulated instruction {mark}. Answer in one sentence that contains the word number{answer}.",
}


def right_answer(prompt: str) -> str | None:
    """The right answer to a simulated query, six digits; None for any other prompt."""
    found = _MARK.search(prompt)
    return None if found is None else _answer(found[2])


def named_category(prompt: str) -> str | None:
    """Category that a simulated query names; None for any other prompt."""
    found = _MARK.search(prompt)
    return None if found is None or found[1] not in _ASKS else found[1]


def simulated_query(seed: int, number: int, *, category: str | None = None) -> Query:
    """Query `number` of a simulated set; its category by the published shares unless given."""
    category = category or _category(shares("category", seed, number)[0])
    digits = content_id("simulated query", str(seed), str(number))[:16]
    answer = _answer(digits)
    words = random.Random(int(digits, 16)).choices(VOCABULARY, k=STORY_WORDS)  # so that no two are near duplicates
    prompt = f"{_ASKS[category].format(mark=f'SIM-{category}-{digits}', answer=answer)} Given: {' '.join(words)}."
    return Query(
        id=f"sim-{seed}-{number}",
        messages=(Message(role="user", content=prompt),),
        category=category,
        source="simulated",
        ground_truth=answer if category in ("math", "science", "other", "multiturn") else None,
        test_case={"call_type": "assert", "fn_name": "answer", "assert_case": [f"assert answer() == {answer}"]}
        if category == "code"
        else None,
        instruction_constrain={
            "instruction_id_list": ["keywords:existence"],
            "kwargs": [{"keywords": [f"number{answer}"]}],
        }
        if category == "if"
        else None,
    )


def simulated_queries(num_queries: int, *, seed: int = 0, categories: Sequence[str] = ()) -> Iterator[Query]:
    """Queries 0 to num_queries - 1; of `categories` alone, in turn, where any are given."""
    for number in range(num_queries):
        yield simulated_query(seed, number, category=categories[number % len(categories)] if categories else None)


def write_simulated_queries(path: Path, num_queries: int, *, seed: int = 0, categories: Sequence[str] = ()) -> None:
    """The queries as JSONL."""
    for category in categories:
        if category not in _ASKS:
            raise ValueError(f"category: {category!r} is none of {', '.join(_ASKS)}")
    queries = simulated_queries(num_queries, seed=seed, categories=categories)
    lines = (orjson.dumps(query_to_json(query), option=orjson.OPT_APPEND_NEWLINE) for query in queries)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, b"".join(lines))


def _answer(digits: str) -> str:
    return str(100_000 + int(content_id("simulated answer", digits)[:8], 16) % 900_000)


def _category(share: float) -> str:
    for category, part in category_shares().items():
        share -= part
        if share < 0.0:
            return category
    return category
