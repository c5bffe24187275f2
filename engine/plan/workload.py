"""The queries of a recipe as a plan sees them: how many, and a sample in their order. Files are read, generators are
known; where teachers are not simulated, simulated queries of the same categories stand for the real ones.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reasonmill.engine.recipe import Recipe
from reasonmill.engine.records import Query
from reasonmill.engine.simulation.questions import simulated_queries, simulated_query
from reasonmill.engine.store.readers import read_queries


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`rehearsed` are the first queries and `known` some more; `categories` count all of them."""

    num_queries: int
    categories: dict[str, int]
    rehearsed: tuple[Query, ...]
    known: tuple[Query, ...]


KNOWN_QUERIES = 20_000  # whose answers are worked out without a rehearsal: 2 s; their mean work is known to 1 %


def workload(recipe: Recipe, *, rehearse: int, removed_share: float) -> Workload:
    """The recipe's queries after curation, which takes a share away evenly. Raises FileNotFoundError or ValueError."""
    simulated = all(teacher.kind == "simulated" for teacher in recipe.teachers)
    categories: Counter[str] = Counter()
    kept: list[Query] = []
    number = 0
    for number, query in enumerate(_kept(_queries(recipe), removed_share), start=1):
        categories[query.category] += 1
        if number <= max(rehearse, KNOWN_QUERIES):
            kept.append(query if simulated else simulated_query(0, number, category=query.category))
    if not number:
        raise ValueError("queries: there is none to plan for")
    return Workload(
        num_queries=number, categories=dict(categories), rehearsed=tuple(kept[:rehearse]), known=tuple(kept)
    )


def _queries(recipe: Recipe) -> Iterator[Query]:
    settings = recipe.queries
    limit = settings.limit if settings.limit is not None else 2**62
    if settings.generator == "simulated":
        only = (settings.category,) if settings.category else ()
        yield from simulated_queries(min(settings.num_queries, limit), seed=recipe.run.seed, categories=only)
        return
    if settings.generator is not None:  # toy questions, written when the run begins
        yield from simulated_queries(min(settings.num_queries, limit), categories=("math",))
        return
    for path in settings.paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"queries.paths: {path!r} does not exist or is not a file")
    for number, query in enumerate(read_queries(settings.paths, category=settings.category)):
        if number >= limit:
            return
        if isinstance(query, Query):
            yield query


def _kept(queries: Iterator[Query], removed_share: float) -> Iterator[Query]:
    removed = 0.0
    for query in queries:
        removed += removed_share
        if removed >= 1.0:
            removed -= 1.0
        else:
            yield query
