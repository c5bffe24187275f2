"""The teacher kind `simulated`: from a recipe to answers, in this process, over the replica set."""

import asyncio
from pathlib import Path

import pytest

from reasonmill.engine.recipe_loader import build
from reasonmill.engine.simulation.questions import simulated_query
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.teachers.open import open_teachers
from reasonmill.engine.teachers.protocol import GenerationRequest
from reasonmill.engine.teachers.settings import TeacherSettings


def teacher(**simulation):
    return build(
        TeacherSettings, {"name": "AM", "kind": "simulated", "max_num_seqs": 4, "simulation": simulation}, "teachers[0]"
    )


def test_a_recipe_opens_replicas_that_share_the_requests():
    async def run():
        async with open_teachers([teacher(replicas=3)], log_dir=Path("unused")) as teachers:
            queries = [simulated_query(0, number, category="math") for number in range(30)]
            asks = [
                teachers["AM"].generate(
                    GenerationRequest(query_id=q.id, number=1, seed=1, messages=q.messages, category="math")
                )
                for q in queries
            ]
            return await asyncio.gather(*asks)

    answers = run_virtual(run())
    assert {one.replica for one in answers} == {"AM-0", "AM-1", "AM-2"}
    assert all(one.text.startswith("<think>") for one in answers)


def test_refusals_and_deaths_are_outlived():
    faults = {"busy_rate": 0.2, "error_rate": 0.2, "deaths_per_hour": 20.0, "down_s": 30.0}

    async def run():
        async with open_teachers([teacher(replicas=2, faults=faults)], log_dir=Path("unused")) as teachers:
            queries = [simulated_query(0, number, category="math") for number in range(20)]
            asks = [
                teachers["AM"].generate(
                    GenerationRequest(query_id=q.id, number=1, seed=1, messages=q.messages, category="math")
                )
                for q in queries
            ]
            return await asyncio.gather(*asks, return_exceptions=True)

    answers = run_virtual(run())
    assert sum(not isinstance(one, Exception) for one in answers) > 10


def test_settings_of_the_simulation_are_checked_with_their_place():
    with pytest.raises(ValueError, match=r"teachers\[0\].simulation.faults: drop_rate: 2.0 is outside"):
        teacher(faults={"drop_rate": 2})
    with pytest.raises(ValueError, match=r"did you mean 'teachers\[0\].simulation.replicas'"):
        teacher(replica=2)
    with pytest.raises(ValueError, match="kind: 'simulate' is none of vllm"):
        build(TeacherSettings, {"name": "x", "kind": "simulate"})
