"""Rows that are no query of their own: unreadable ones, and queries whose id an earlier one has. These are copies where
the question is the same, else a mistake in the input, of which both rows are named.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from reasonmill.engine.curate.places import places_of
from reasonmill.engine.curate.reading import Reading
from reasonmill.engine.records import Reject

_SHOWN = 240  # characters of a question


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """Query `number` has the id of query `first`; `places`: FILE:LINE of a mistake and of the first, None of a copy."""

    number: int
    first: int
    places: tuple[str, str] | None


def repeated(reading: Reading) -> Iterator[Repeated]:
    """All of them in input order. The files are read again, for the places, only where there is a mistake."""
    pairs = np.fromiter(chain.from_iterable(reading.repeated()), np.int64).reshape(-1, 2)
    same = np.array([reading.spool.same_question(number, first) for number, first in pairs.tolist()], np.bool_)
    rows = reading.rows_of(pairs)
    place = places_of(reading.paths, rows[~same].ravel())
    for (number, first), (row, first_row), copy in zip(pairs.tolist(), rows.tolist(), same.tolist(), strict=True):
        yield Repeated(number=number, first=first, places=None if copy else (place(row), place(first_row)))


def mistake(reading: Reading, found: Repeated) -> dict[str, str]:
    """The evidence of an id that stands for two questions."""
    assert found.places is not None, "a copy is no mistake"
    place, first = found.places
    return {"place": place, "first": first, "prompt": reading.spool.query(found.number).prompt[:_SHOWN]}


def unfit(reading: Reading) -> Iterator[Reject]:
    """What removed.jsonl says of all of them, in input order."""
    unreadable = reading.unreadable()
    waiting = next(unreadable, None)
    for found in repeated(reading):
        while waiting is not None and waiting[0] <= found.number:
            yield waiting[1]
            waiting = next(unreadable, None)
        id_ = reading.spool.id(found.number)
        if found.places is None:
            same = {"of": id_, "match": "identical"}
            yield Reject(query_id=id_, stage="curate", reason="exact_duplicate", evidence=same)
        else:
            yield Reject(query_id=id_, stage="read", reason="repeated_id", evidence=mistake(reading, found))
    if waiting is not None:
        yield waiting[1]
    yield from (reject for _, reject in unreadable)
