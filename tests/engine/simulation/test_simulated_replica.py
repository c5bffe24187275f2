"""In-process replicas on virtual time: exact speeds, aborts, faults, deaths, and the same again with the same seed."""

import asyncio

import pytest

from reasonmill.engine.simulation.questions import simulated_query
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.simulation.virtual_time import run_virtual
from reasonmill.engine.teachers.protocol import GenerationRequest, TeacherFault


def request(number, *, seed=None, category="math", **hints):
    query = simulated_query(0, number, category=category)
    return GenerationRequest(
        query_id=query.id,
        number=1,
        seed=number if seed is None else seed,
        messages=query.messages,
        category=category,
        **hints,
    )


def replicas(settings=None, *, max_num_seqs=8, max_tokens=32_768):
    return open_replicas(
        settings or SimulationSettings(), teacher="t", max_num_seqs=max_num_seqs, max_tokens=max_tokens
    )


def test_a_lone_short_answer_comes_at_the_published_speed():
    async def run():
        (replica,) = replicas(max_tokens=100)
        return await replica.generate(request(1))

    answer = run_virtual(run())
    assert answer.completion_tokens == 100
    assert answer.finish_reason == "length"
    assert answer.duration_s == pytest.approx(100 / 60, rel=0.02)


async def ask_many(settings, number, *, max_num_seqs=16):
    (replica,) = replicas(settings, max_num_seqs=max_num_seqs)
    ended = []

    async def ask(one):
        try:
            answer = await replica.generate(request(one))
            ended.append((one, asyncio.get_running_loop().time(), answer))
        except TeacherFault as fault:
            ended.append((one, asyncio.get_running_loop().time(), str(fault)))

    async with asyncio.TaskGroup() as group:
        for one in range(number):
            group.create_task(ask(one))
    return ended


def test_the_same_seed_gives_the_same_answers_at_the_same_times_in_the_same_order():
    settings = SimulationSettings(faults=FaultSettings(drop_rate=0.2, error_rate=0.1, deaths_per_hour=10.0))
    assert run_virtual(ask_many(settings, 100)) == run_virtual(ask_many(settings, 100))


def test_more_requests_than_places_wait_and_all_are_answered():
    ended = run_virtual(ask_many(SimulationSettings(), 100, max_num_seqs=4))
    assert sorted(one for one, _, _ in ended) == list(range(100))
    assert all(answer.completion_tokens > 0 for _, _, answer in ended)


def test_an_abort_frees_its_place_for_the_next():
    async def run():
        (replica,) = replicas(max_num_seqs=1)
        first = asyncio.create_task(replica.generate(request(1)))
        second = asyncio.create_task(replica.generate(request(2, max_tokens=60)))
        await asyncio.sleep(5.0)
        load = await replica.load()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        answer = await second
        return load, answer.duration_s, (await replica.load())

    load, duration_s, after = run_virtual(run())
    assert (load.running, load.waiting) == (1, 1)
    assert load.kv_cache_usage > 0.0
    assert duration_s == pytest.approx(6.0, abs=0.1)
    assert (after.running, after.waiting, after.kv_cache_usage) == (0, 0, 0.0)


def test_a_death_fails_what_is_open_and_the_replica_comes_back():
    settings = SimulationSettings(seed=3, faults=FaultSettings(deaths_per_hour=60.0, down_s=30.0))

    async def run():
        (replica,) = replicas(settings, max_num_seqs=64)
        open_ones = [asyncio.create_task(replica.generate(request(n, seed=7))) for n in range(64)]
        results = await asyncio.gather(*open_ones, return_exceptions=True)
        died = asyncio.get_running_loop().time()
        with pytest.raises(TeacherFault, match="connection refused"):
            await replica.load()
        with pytest.raises(TeacherFault, match="connection refused"):
            await replica.generate(request(1))
        await asyncio.sleep(30.0)
        back = await replica.load()
        return results, died, replica.deaths, back

    results, died, deaths, back = run_virtual(run())
    assert deaths >= 1
    assert died > 0.0
    assert any(isinstance(result, TeacherFault) and "died" in str(result) for result in results)
    assert back.running == 0


def test_a_request_that_failed_on_its_way_may_go_well_when_asked_again():
    settings = SimulationSettings(faults=FaultSettings(error_rate=0.5))

    async def run():
        (replica,) = replicas(settings)
        tries = []
        for number in range(20):
            for attempt in range(20):
                try:
                    await replica.generate(request(number, max_tokens=50))
                except TeacherFault:
                    continue
                tries.append(attempt + 1)
                break
        return tries

    tries = run_virtual(run())
    assert len(tries) == 20
    assert max(tries) > 1


def test_a_hanging_request_ends_only_when_it_is_aborted():
    async def run():
        (replica,) = replicas(SimulationSettings(faults=FaultSettings(hang_rate=1.0)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(replica.generate(request(1)), 86_400.0)
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == pytest.approx(86_400.0)


def test_a_broken_off_loop_says_what_it_saved():
    async def run(loop_break_tokens):
        faults = FaultSettings(loop_rate=1.0, loop_break_tokens=loop_break_tokens)
        (replica,) = replicas(SimulationSettings(faults=faults), max_tokens=10_000)
        return await replica.generate(request(1))

    whole, broken = run_virtual(run(None)), run_virtual(run(200))
    assert (whole.finish_reason, whole.completion_tokens, whole.saved_tokens) == ("length", 10_000, 0)
    assert broken.finish_reason == "repetition"
    assert broken.completion_tokens + broken.saved_tokens == 10_000
    assert broken.duration_s < whole.duration_s
