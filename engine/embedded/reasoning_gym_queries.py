"""Questions of reasoning-gym with their answers, by seed. The only file that imports reasoning_gym.

The questions are arXiv 2505.24760's procedural data sets (package reasoning-gym 0.1.25), word for word.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reasonmill.engine.embedded.arithmetic import chain_trace
from reasonmill.engine.embedded.files import write_lines
from reasonmill.engine.embedded.questions import GYM_SOURCE, WorkedQuestion, words_of
from reasonmill.engine.records import Message, Query, content_id
from reasonmill.engine.store.readers import query_to_json

# Data sets that the tiny teacher is taught: two or three terms added and subtracted, nothing negative on the way.
TAUGHT: dict[str, dict[str, Any]] = {
    "chain_sum": {"min_terms": 2, "max_terms": 3, "min_digits": 2, "max_digits": 3},
    "basic_arithmetic": {
        "min_terms": 2,
        "max_terms": 2,
        "min_digits": 2,
        "max_digits": 3,
        "operators": ["+", "-"],
        "allow_parentheses": False,
        "allow_negation": False,
    },
}
# Data sets for a model that has read text: their answers are whole numbers, which the math verifier compares.
ASKED: dict[str, dict[str, Any]] = {
    "chain_sum": {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2},
    "gcd": {"min_numbers": 2, "max_numbers": 2, "min_value": 1, "max_value": 60},
    "basic_arithmetic": {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2},
    "lcm": {"min_numbers": 2, "max_numbers": 2, "min_value": 1, "max_value": 20},
    "products": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2},
    "leg_counting": {"min_animals": 1, "max_animals": 3, "min_instances": 1, "max_instances": 6},
}
_CHUNK = 4096
_EXPRESSION = re.compile(r"(\d+)((?: [+-] \d+)+)(?: =|\.|\?|$)")
_TERM = re.compile(r"([+-]) (\d+)")


def gym_entries(name: str, *, seed: int, **options: Any) -> Iterator[tuple[str, str]]:
    """Endless (question, answer) pairs of one data set. Raises ValueError for a name that reasoning-gym lacks."""
    import reasoning_gym

    chunk = 0
    while True:
        # reasoning-gym seeds entry i with seed + i, so neighbouring seeds would repeat each other's entries
        chunk_seed = (seed * 1_000_003 + chunk * _CHUNK) % 2**31
        for entry in reasoning_gym.create_dataset(name, size=_CHUNK, seed=chunk_seed, **options):
            yield str(entry["question"]), str(entry["answer"])
        chunk += 1


def taught_questions(task: str, *, seed: int) -> Iterator[WorkedQuestion]:
    """Endless worked questions of one data set of TAUGHT; none goes below 0 or beyond 999 on the way."""
    for question, gold in gym_entries(task, seed=seed, **TAUGHT[task]):
        found = _EXPRESSION.search(question)
        assert found is not None, f"reasoning-gym asks {question!r} for {task}"
        first, terms = int(found[1]), tuple((sign, int(number)) for sign, number in _TERM.findall(found[2]))
        partial = list(itertools.accumulate((n if sign == "+" else -n for sign, n in terms), initial=first))
        if min(partial) >= 0 and max(*partial[:-1], *(number for _, number in terms)) < 1000:
            trace = chain_trace(first, terms)
            yield WorkedQuestion(task=task, source=GYM_SOURCE, question=question, gold=gold, trace=trace)


def reasoning_gym_queries(count: int, *, seed: int) -> Iterator[Query]:
    """`count` queries from the data sets of ASKED in turn, no two of them with the same words."""
    streams = [gym_entries(name, seed=seed, **options) for name, options in ASKED.items()]
    seen = set[tuple[str, ...]]()
    turn = 0
    while len(seen) < count:
        question, gold = next(streams[turn % len(streams)])
        turn += 1  # a small data set that is used up is passed over
        words = words_of(question)
        if words in seen:
            continue
        seen.add(words)
        yield Query(
            id=content_id(GYM_SOURCE, question),
            messages=(Message(role="user", content=question.strip()),),
            category="math",
            source=GYM_SOURCE,
            ground_truth=gold,
        )


def write_reasoning_gym_inputs(folder: Path, *, num_queries: int, seed: int) -> Path:
    """Write `queries.jsonl` into `folder`, which is made, and return its path. Same number and seed, same bytes."""
    if num_queries < 1:
        raise ValueError(f"num_queries: {num_queries} is not positive")
    queries = reasoning_gym_queries(num_queries, seed=seed)
    return write_lines(folder / "queries.jsonl", (query_to_json(query) for query in queries))
