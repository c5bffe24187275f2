"""Cohorts of teachers: those that began a run, and those that joined it later. Each cohort's answers are released
behind those of the cohorts before it, so that what was released stays as it is and nobody is asked anything twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from reasonmill.engine.store.journal import Journal, meta_statement
from reasonmill.engine.teachers.settings import TeacherSettings

_SLOTS = 2**32  # of one cohort: more than the blocks of any input


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """Teachers that are asked together; `first_slot` is where its slots and its spans begin."""

    number: int
    teachers: tuple[TeacherSettings, ...]
    last: bool

    @property
    def first_slot(self) -> int:
        """Where its slots and its spans begin in the journal."""
        return self.number * _SLOTS


async def open_cohorts(journal: Journal, teachers: Sequence[TeacherSettings], *, survive: str) -> list[Cohort]:
    """The cohorts that are not finished, in order; teachers that the journal does not know join as a new one.

    Raises ValueError where teachers join a run that keeps only queries which all its teachers answered.
    """
    rows = await journal.rows("SELECT key, value FROM meta WHERE key IN ('cohorts', 'cohorts_finished')")
    found = {key: orjson.loads(value) for key, value in rows}
    names: list[list[str]] = found.get("cohorts", [])
    known = {name for cohort in names for name in cohort}
    joined = [teacher.name for teacher in teachers if teacher.name not in known]
    if joined:
        if names and survive == "intersection":
            raise ValueError(
                f"teachers: {joined[0]!r} cannot join a run with attempts.survive = intersection: which queries are"
                " kept would change after their samples were handed on; begin a new run"
            )
        names = [*names, joined]
        await journal.say(meta_statement("cohorts", names))
        await journal.flush()
    by_name = {teacher.name: teacher for teacher in teachers}
    return [
        Cohort(number=number, teachers=tuple(by_name[name] for name in cohort), last=number == len(names) - 1)
        for number, cohort in enumerate(names)
        if number >= found.get("cohorts_finished", 0)
    ]


async def finish_cohort(journal: Journal, cohort: Cohort) -> None:
    """All its queries are decided, released and written."""
    await journal.say(meta_statement("cohorts_finished", cohort.number + 1))
    await journal.flush()
