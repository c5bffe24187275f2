"""Nobody beats the bound, and every way of asking accepts the same answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.simulation.bounds import World, attempts_needed, barrier_rounds, bound, run_through
from reasonmill.engine.simulation.questions import simulated_queries
from reasonmill.engine.simulation.settings import SimulationSettings

MATH = list(simulated_queries(400, categories=("math",)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 48), st.integers(20, 200))
def test_no_order_of_asking_is_faster_than_the_bound(seed, replicas, max_num_seqs, number):
    world = World(
        settings=SimulationSettings(seed=seed, replicas=replicas), teacher="t", max_num_seqs=max_num_seqs, run_seed=seed
    )
    least = bound(MATH[:number], world)
    at_once = run_through([one for answers in attempts_needed(MATH[:number], world) for one in answers], world)
    assert least.needed.seconds <= at_once * (1.0 + 1e-9)
    assert least.accepted_only_s <= least.needed.seconds
    assert least.longest_answer_s <= at_once * (1.0 + 1e-9)


def test_rounds_with_barriers_accept_the_same_and_take_longer():
    world = World(settings=SimulationSettings(replicas=2), teacher="t")
    rounds, least = barrier_rounds(MATH, world, verify_s=2.0), bound(MATH, world)
    assert (rounds.accepted, rounds.accepted_tokens) == (least.needed.accepted, least.needed.accepted_tokens)
    assert (rounds.attempts, rounds.generated_tokens) == (least.needed.attempts, least.needed.generated_tokens)
    assert rounds.goodput < least.needed.goodput
    assert rounds.rounds == world.max_attempts


def test_a_single_full_batch_of_equal_answers_reaches_the_bound():
    world = World(
        settings=SimulationSettings(pass_rate=0.0), teacher="t", max_num_seqs=16, max_tokens=50, max_attempts=1
    )
    answers = [one for needed in attempts_needed(MATH[:16], world) for one in needed]
    assert {answer.tokens for answer in answers} == {50}
    assert run_through(answers, world) == pytest.approx(bound(MATH[:16], world).needed.seconds, rel=0.01)
