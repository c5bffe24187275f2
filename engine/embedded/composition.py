"""Which queries the quickstart consists of: clean ones, planted ones and programs, with their ids, in a fixed order.

No two clean queries have the same words, none has those of a held-back question in a row, and every kind of plant is
present from MIN_QUERIES queries on.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reasonmill.engine.embedded.planted import Plant, contaminated, duplicates, story_families, unusable
from reasonmill.engine.embedded.programs import PROGRAM_SOURCE, ProgramQuery, program_queries
from reasonmill.engine.embedded.questions import TOY_SOURCE, WorkedQuestion, words_of
from reasonmill.engine.embedded.tasks import mixed_questions
from reasonmill.engine.records import Message, Query, content_id

MIN_QUERIES = 60
NUM_HELD_BACK = 240
_FULL_SIZE = 2000
_COUNTS = {  # of each kind among 2,000 queries or more; in proportion below, but at least one
    "exact_duplicate": 20,
    "reformatted_duplicate": 8,
    "story": 12,
    "url": 6,
    "markdown_table": 4,
    "latex_table": 4,
    "empty": 4,
    "incomplete": 4,
    "broken_characters": 6,
    "verbatim": 8,
    "wrapped": 8,
    "edited": 8,
    "reworded": 12,
    "program": 36,
}
_MIN_PROGRAMS = 8  # so many hold a right answer at each attempt, none at all, and an endless loop


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One query with what is known of it; a clean question has neither a plant nor a program."""

    query: Query
    plant: Plant | None = None
    program: ProgramQuery | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """All queries, shuffled, and the held-back questions."""

    entries: tuple[Entry, ...]
    held_back: tuple[Query, ...]


def compose(num_queries: int, seed: int) -> Composition:
    """Exactly `num_queries` queries. Raises ValueError for fewer than MIN_QUERIES."""
    if num_queries < MIN_QUERIES:
        raise ValueError(f"num_queries: {num_queries} is fewer than {MIN_QUERIES}, too few for one of every kind")
    rng = random.Random(f"quickstart/{seed}")
    share = min(1.0, num_queries / _FULL_SIZE)
    counts = {kind: max(1, round(full * share)) for kind, full in _COUNTS.items()}
    programs = program_queries(max(_MIN_PROGRAMS, counts["program"]), seed=seed)
    plants = [
        *story_families(counts["story"], rng),
        *unusable(counts, rng),
        *contaminated(counts, rng),
    ]
    held_back = _held_back(seed)
    num_copies = counts["exact_duplicate"] + counts["reformatted_duplicate"]
    num_clean = num_queries - len(plants) - len(programs) - num_copies
    clean = list(_distinct(mixed_questions(seed=2 * seed), num_clean, apart_from=held_back))
    plants += duplicates(clean, num_exact=counts["exact_duplicate"], num_reformatted=counts["reformatted_duplicate"])
    occurrences = Counter[str]()
    entries = [Entry(query=_question(question, occurrences)) for question in clean]
    entries += [Entry(query=_planted(plant, occurrences), plant=plant) for plant in plants]
    entries += [Entry(query=_program(program, occurrences), program=program) for program in programs]
    rng.shuffle(entries)
    return Composition(
        entries=tuple(entries), held_back=tuple(_question(question, Counter()) for question in held_back)
    )


def held_back_queries(seed: int) -> tuple[Query, ...]:
    """The held-back questions alone."""
    return tuple(_question(question, Counter()) for question in _held_back(seed))


def expected_removals(entries: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    """Id of each query that curation has to remove, with the reasons that count as right.

    Of a pair of duplicates it is the query with the larger id.
    """
    entries = tuple(entries)
    ids_of = dict[str, list[str]]()
    for entry in entries:
        ids_of.setdefault(entry.query.prompt, []).append(entry.query.id)
    removals = {}
    for entry in entries:
        plant = entry.plant
        if plant is None or not plant.reasons:
            continue
        twins = [i for i in ids_of.get(plant.twin_of or "", []) if plant.twin_of and i != entry.query.id]
        removals[max([entry.query.id, *twins])] = plant.reasons
    return removals


def _held_back(seed: int) -> list[WorkedQuestion]:
    return list(_distinct(mixed_questions(seed=2 * seed + 1), NUM_HELD_BACK, apart_from=()))


def _distinct(
    questions: Iterator[WorkedQuestion], count: int, *, apart_from: Sequence[WorkedQuestion]
) -> Iterator[WorkedQuestion]:
    """The first `count` questions whose words are new and hold none of the others' words in a row."""
    avoided = {words_of(question.question) for question in apart_from}
    lengths = sorted({len(words) for words in avoided})
    seen = set[tuple[str, ...]]()
    while len(seen) < count:
        question = next(questions)
        words = words_of(question.question)
        windows = (words[i : i + length] for length in lengths for i in range(len(words) - length + 1))
        if words not in seen and avoided.isdisjoint(windows):
            seen.add(words)
            yield question


def _identified(text: str, source: str, occurrences: Counter[str]) -> str:
    """An id of source and text that tells copies of one text apart."""
    occurrences[text] += 1
    return content_id(source, text, str(occurrences[text]))


def _question(question: WorkedQuestion, occurrences: Counter[str]) -> Query:
    return Query(
        id=_identified(question.question, question.source, occurrences),
        messages=(Message(role="user", content=question.question),),
        category="math",
        source=question.source,
        ground_truth=question.gold,
    )


def _planted(plant: Plant, occurrences: Counter[str]) -> Query:
    return Query(
        id=_identified(plant.text, TOY_SOURCE, occurrences),
        messages=(Message(role="user", content=plant.text),),
        category="math",
        source=TOY_SOURCE,
        ground_truth=plant.gold,
    )


def _program(program: ProgramQuery, occurrences: Counter[str]) -> Query:
    return Query(
        id=_identified(program.question, PROGRAM_SOURCE, occurrences),
        messages=(Message(role="user", content=program.question),),
        category="code",
        source=PROGRAM_SOURCE,
        test_case=program.test_case,
    )
