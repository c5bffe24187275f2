"""What a run took, in the figures of a plan, and the two side by side."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import orjson

from reasonmill.engine.plan.make import Plan
from reasonmill.engine.plan.measured import teacher_busy_s
from reasonmill.engine.plan.stages import StagePlan
from reasonmill.engine.store.accepted import accepted_attempts
from reasonmill.engine.store.journal import open_for_reading


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One figure of a plan beside the run's."""

    name: str
    unit: str
    planned: float
    actual: float

    @property
    def ratio(self) -> float | None:
        """Actual over planned; None where nothing was planned."""
        return self.actual / self.planned if self.planned else None


def compare(plan: Plan, run: Path) -> list[Compared]:
    """Plan against actual. Raises ValueError for a folder without a journal."""
    journal = run / "journal.sqlite"
    if not journal.is_file():
        raise ValueError(f"{str(run)!r} is no folder of a run: it has no journal")
    found: list[Compared] = []
    connection = open_for_reading(journal)
    try:
        for stage in plan.stages:
            if stage.name.startswith("generate "):
                found += _teacher(connection, run, stage.name.removeprefix("generate "), stage, plan.mode)
        checks = connection.execute("SELECT coalesce(sum(verify_s), 0) FROM attempts").fetchone()[0]
    finally:
        connection.close()
    planned_checks = next(stage.figures["core_s"] for stage in plan.stages if stage.name == "verify")
    found.append(Compared(name="verify", unit="core-s", planned=planned_checks, actual=checks))
    return found + _whole(plan, run)


def _teacher(connection: sqlite3.Connection, run: Path, teacher: str, stage: StagePlan, mode: str) -> list[Compared]:
    attempts, tokens = connection.execute(
        "SELECT count(*), coalesce(sum(completion_tokens), 0) FROM attempts WHERE teacher = ?", (teacher,)
    ).fetchone()
    accepted, accepted_tokens = connection.execute(
        "SELECT count(*), coalesce(sum(completion_tokens), 0) FROM pairs JOIN attempts USING (ordinal, teacher)"
        f" WHERE teacher = ? AND {accepted_attempts(mode)}",
        (teacher,),
    ).fetchone()
    rows = (
        ("seconds", "s", stage.seconds, teacher_busy_s(run, teacher)),
        ("attempts", "", stage.items, attempts),
        ("generated", "tokens", stage.tokens, tokens),
        ("accepted", "", stage.figures["accepted"], accepted),
        ("accepted", "tokens", stage.figures["accepted_tokens"], accepted_tokens),
    )
    return [
        Compared(name=f"{teacher} {name}", unit=unit, planned=float(planned), actual=float(actual))
        for name, unit, planned, actual in rows
    ]


def _whole(plan: Plan, run: Path) -> list[Compared]:
    summary = run / "summary.json"
    if not summary.is_file():
        return []
    told = orjson.loads(summary.read_bytes())
    found = []
    planned = {stage.name: stage.seconds for stage in plan.stages}
    for stage in told["stages"]:
        if stage["name"] == "generate":
            found.append(Compared(name="generate", unit="s", planned=plan.generate_s, actual=stage["busy_s"]))
        elif stage["name"] in ("train", "evaluate") and stage["name"] in planned:
            found.append(Compared(name=stage["name"], unit="s", planned=planned[stage["name"]], actual=stage["busy_s"]))
    if actual := told.get("wall_s"):  # of all sessions, without the time between them
        found.append(Compared(name="whole run", unit="s", planned=plan.wall_s, actual=actual))
    return found
