"""Generation and verification of a recipe: rehearsed whole where it is short. A longer one is rehearsed in part,
and its bulk is added: the work of an answer in a full batch has a closed form (simulation/bounds.py), and the
rehearsal shows which share of the full batches the scheduler, the verifiers and the slowest teacher leave in use.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reasonmill.engine.plan.rehearsal import Rehearsed, Stand, TeacherFigures, rehearse, stand_world
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.plan.workload import Workload
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.records import Query
from reasonmill.engine.simulation.bounds import bound

WINDOWS = 8  # times the open queries that a rehearsal in part needs at least: with 5 the time came out 11 % long,
# with 10 and 20 within 1.2 % (2,000 and 4,000 queries, two teachers)
MIN_OPEN = 512  # queries that a run has open at least


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherPlan:
    """One teacher's part of the run: its work on one replica that is always full, and the longest single answer."""

    name: str
    figures: TeacherFigures
    work_s: float
    longest_answer_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationPlan:
    """All teachers; `seconds` from the first question to the last verdict."""

    seconds: float
    teachers: tuple[TeacherPlan, ...]
    checks: int
    check_s: dict[str, float]  # by category
    rehearsed_queries: int


def queries_to_rehearse(recipe: Recipe, plan: PlanSettings, stands: Sequence[Stand]) -> int:
    """How many queries a rehearsal takes at most."""
    places = [stand.settings.max_num_seqs * stand.world.replicas for stand in stands]
    bound = recipe.attempts.max_open_queries or max(MIN_OPEN, 2 * max(places))
    return max(plan.rehearse_queries, WINDOWS * bound)


def plan_generation(recipe: Recipe, plan: PlanSettings, stands: Sequence[Stand], work: Workload) -> GenerationPlan:
    """The plan for all queries of `work`."""
    rehearsed = rehearse(recipe, plan, stands, work.rehearsed)
    growth = work.num_queries / len(work.rehearsed)
    teachers = tuple(_teacher(recipe, stand, work, rehearsed) for stand in stands)
    last_s = max(one.seconds for one in rehearsed.teachers.values())
    return GenerationPlan(
        seconds=max(one.figures.seconds for one in teachers) + rehearsed.seconds - last_s,
        teachers=teachers,
        checks=round(rehearsed.checks * growth),
        check_s={category: seconds * growth for category, seconds in rehearsed.check_s.items()},
        rehearsed_queries=len(work.rehearsed),
    )


def _teacher(recipe: Recipe, stand: Stand, work: Workload, rehearsed: Rehearsed) -> TeacherPlan:
    name, world = stand.settings.name, stand_world(recipe, stand)
    figures = rehearsed.teachers[name]
    first, known = _asked(stand, work.rehearsed), _asked(stand, work.known)
    if not first:
        return TeacherPlan(name=name, figures=figures, work_s=0.0, longest_answer_s=0.0)
    least, wide = bound(first, world), bound(known, world)
    scale = work.num_queries / len(work.known)
    tokens = scale * wide.needed.generated_tokens / least.needed.generated_tokens
    asked = scale * wide.needed.attempts / least.needed.attempts
    accepted = scale * wide.needed.accepted / max(1, least.needed.accepted)
    more_s = scale * wide.needed.seconds - least.needed.seconds
    scaled = replace(
        figures,
        seconds=figures.seconds + more_s / min(1.0, figures.steady_share),
        pairs=round(figures.pairs * scale * len(known) / len(first)),
        attempts=round(figures.attempts * asked),
        accepted=round(figures.accepted * accepted),
        generated_tokens=round(figures.generated_tokens * tokens),
        accepted_tokens=round(scale * wide.needed.accepted_tokens),
    )
    return TeacherPlan(
        name=name,
        figures=scaled if len(work.rehearsed) < work.num_queries else figures,
        work_s=scale * wide.needed.seconds * world.capacity,
        longest_answer_s=wide.longest_answer_s,
    )


def _asked(stand: Stand, queries: Sequence[Query]) -> list[Query]:
    return [q for q in queries if not stand.settings.categories or q.category in stand.settings.categories]
