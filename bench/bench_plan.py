"""How well `reasonmill plan` tells what runs then take, and what a simulated day costs.

Runs are made in real time with simulated teachers, sped up, and compared with their plans: wall time of asking and
verifying, tokens. A plan from a part of the queries is held against the plan of all of them.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.plan.actual import compare
from reasonmill.engine.plan.make import Plan, make_plan
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.recipe import Recipe
from reasonmill.engine.recipe_loader import build
from reasonmill.engine.run import run
from reasonmill.engine.simulation.questions import simulated_query
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.teachers.protocol import GenerationRequest

TARGET = 0.05  # of the planned time that a run may differ
SETTINGS = PlanSettings(verify_s={"math": 0.0005})  # what plain six-digit answers take


def measure(scale: Scale) -> Iterator[Figure]:
    """Accuracy, then costs. `ci`: runs of about 25 s, `node`: of some minutes."""
    queries = 400 if scale == "ci" else 4000
    yield from _accuracy("one_teacher", _recipe(queries, {"AM": {}}))
    two: dict[str, dict[str, Any]] = {"AM": {"replicas": 3}, "R1": {"lengths": "DeepSeek-R1"}}
    yield from _accuracy("two_teachers", _recipe(queries * 3 // 4, two))
    faults = {"drop_rate": 0.02, "error_rate": 0.02, "loop_rate": 0.02}
    yield from _accuracy("faults", _recipe(queries, {"AM": {"faults": faults}}))
    yield _part_against_whole(4_000 if scale == "ci" else 20_000)
    yield from _costs(2_000 if scale == "ci" else 50_000)


def _recipe(num_queries: int, teachers: Mapping[str, Mapping[str, Any]], *, speed_up: float = 60.0) -> Recipe:
    simulated = [
        {
            "name": name,
            "kind": "simulated",
            "max_num_seqs": 16,
            "simulation": {"replicas": 2, "speed_up": speed_up, **simulation},
        }
        for name, simulation in teachers.items()
    ]
    content = {
        "run": {"name": "plan-bench", "seed": 3},
        "queries": {"generator": "simulated", "num_queries": num_queries, "category": "math"},
        "teachers": simulated,
        "attempts": {"max_attempts": 4},
    }
    return build(Recipe, content)


def _accuracy(name: str, recipe: Recipe) -> Iterator[Figure]:
    plan = make_plan(recipe, SETTINGS)
    with tempfile.TemporaryDirectory(prefix="reasonmill-bench-") as folder:
        made = Path(folder) / "run"
        run(recipe, output_dir=str(made), resume=False, console=Console(quiet=True))
        compared = {f"{one.name} {one.unit}": one for one in compare(plan, made)}
        again = make_plan(recipe, SETTINGS, rates=made)
        measured = {f"{one.name} {one.unit}": one for one in compare(again, made)}
    wall = compared["generate s"]
    yield Figure(
        name=f"{name}_time_error",
        value=abs(wall.actual / wall.planned - 1.0),
        unit="share",
        better="lower",
        target=TARGET,
        detail={"planned_s": wall.planned, "actual_s": wall.actual, "queries": plan.num_queries},
    )
    tokens = [one for key, one in compared.items() if key.endswith("generated tokens")]
    yield Figure(
        name=f"{name}_tokens_error",
        value=abs(sum(one.actual for one in tokens) / sum(one.planned for one in tokens) - 1.0),
        unit="share",
        better="lower",
        target=TARGET,
        detail={one.name: one.ratio for one in compared.values()},
    )
    wall = measured["generate s"]
    yield Figure(
        name=f"{name}_time_error_from_measured_rates",
        value=abs(wall.actual / wall.planned - 1.0),
        unit="share",
        better="lower",
        detail={"planned_s": wall.planned, "actual_s": wall.actual, "note": "stand-ins for a few hundred real answers"},
    )


def _part_against_whole(queries: int) -> Figure:
    """A quarter rehearsed, and all; both in virtual time, so that the figure is the same on every machine."""
    recipe = _recipe(queries, {"AM": {"replicas": 2}, "R1": {"lengths": "DeepSeek-R1", "replicas": 3}}, speed_up=1.0)
    recipe = replace(recipe, attempts=replace(recipe.attempts, max_open_queries=96))
    whole = make_plan(recipe, replace(SETTINGS, rehearse_queries=queries))
    part = make_plan(recipe, replace(SETTINGS, rehearse_queries=queries // 4))
    assert part.rehearsed_queries < whole.rehearsed_queries, "the part is rehearsed as a whole"
    return Figure(
        name="part_against_whole_error",
        value=abs(part.generate_s / whole.generate_s - 1.0),
        unit="share",
        better="lower",
        target=TARGET,
        detail={"part_s": part.generate_s, "whole_s": whole.generate_s, "rehearsed": part.rehearsed_queries},
    )


def _costs(attempts: int) -> Iterator[Figure]:
    few = _simulated(attempts, replicas=8, places=32)
    many = _simulated(10 * attempts, replicas=64, places=160)
    yield Figure(
        name="attempts_per_cpu_s_256_open",
        value=few.attempts / few.cpu_s,
        unit="1/s",
        detail={"virtual_s": few.virtual_s, "cpu_s": few.cpu_s},
    )
    yield Figure(
        name="attempts_per_cpu_s_10240_open",
        value=many.attempts / many.cpu_s,
        unit="1/s",
        detail={"virtual_s": many.virtual_s, "cpu_s": many.cpu_s},
    )
    yield Figure(
        name="cost_of_an_attempt_10240_open_over_256_open",
        value=many.cpu_s / many.attempts / (few.cpu_s / few.attempts),
        unit="x",
        better="lower",
        target=2.0,
        gated=True,
        tolerance=0.5,
    )
    day = _simulated(10 * attempts, replicas=16, places=64)
    yield Figure(
        name="cpu_s_of_a_virtual_day_of_64_gpus",
        value=day.cpu_s / day.virtual_s * 86_400.0,
        unit="s",
        better="lower",
        target=60.0,
        detail={"replicas": 16, "attempts_a_day": round(day.attempts / day.virtual_s * 86_400.0)},
    )
    began = time.process_time()
    plan: Plan = make_plan(_recipe(2000, {"AM": {}}, speed_up=1.0), SETTINGS)
    yield Figure(
        name="cpu_ms_of_a_plan_per_query",
        value=1e3 * (time.process_time() - began) / plan.rehearsed_queries,
        unit="ms",
        better="lower",
        detail={"rehearsed": plan.rehearsed_queries},
    )


class _Simulated:
    def __init__(self, attempts: int, virtual_s: float, cpu_s: float) -> None:
        self.attempts = attempts
        self.virtual_s = virtual_s
        self.cpu_s = cpu_s


def _simulated(attempts: int, *, replicas: int, places: int) -> _Simulated:
    """Answers asked as fast as places become free, without scheduler, journal or verifier."""

    async def ask_all() -> float:
        opened = open_replicas(
            SimulationSettings(replicas=replicas), teacher="t", max_num_seqs=places, max_tokens=32_768
        )
        left = iter(requests)

        async def lane(place: int) -> None:
            for request in left:
                await opened[place].generate(request)

        async with asyncio.TaskGroup() as group:
            for _ in range(places):
                for place in range(replicas):
                    group.create_task(lane(place))
        return asyncio.get_running_loop().time()

    queries = (simulated_query(0, number, category="math") for number in range(attempts))
    requests = [
        GenerationRequest(query_id=query.id, number=1, seed=1, messages=query.messages, category="math")
        for query in queries
    ]
    began = time.process_time()
    virtual_s = run_virtual(ask_all())
    return _Simulated(attempts, virtual_s, time.process_time() - began)
