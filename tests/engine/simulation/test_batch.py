"""The batch model: the published speeds, agreement with one stepped token by token, and nothing lost when full."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.simulation.batch import NEVER, Batch
from reasonmill.engine.simulation.settings import SpeedSettings
from reasonmill.engine.simulation.speed import speed, steps_within, stretch_s

PUBLISHED = SpeedSettings()


def run(batch, arrivals):
    """End of each request; arrivals are (time, prompt tokens, tokens)."""
    ends = {}
    for id, (at, prompt, tokens) in sorted(enumerate(arrivals), key=lambda item: item[1][0]):
        ends |= {ended: time for time, ended in batch.advance(at)}
        batch.add(id, prompt_tokens=prompt, tokens=tokens)
    while (at := batch.next_event()) < NEVER:
        ends |= {ended: time for time, ended in batch.advance(at)}
    return ends


@pytest.mark.parametrize(
    ("running", "context", "tokens_per_s"), [(1, 0, 60.0), (1, 32_768, 50.0), (16, 32_768, 28.0), (32, 32_768, 19.0)]
)
def test_speeds_are_those_of_the_report(running, context, tokens_per_s):
    step_s = speed(PUBLISHED).step_s(running, running * context)
    assert 1.0 / step_s == pytest.approx(tokens_per_s, rel=0.005)


def test_a_crowded_replica_takes_30_percent_longer():
    costs = speed(PUBLISHED)
    assert costs.step_s(20, 1000.0, crowded=True) == pytest.approx(1.3 * costs.step_s(20, 1000.0))


@given(st.floats(1e-3, 1.0), st.floats(0.0, 1e-3), st.floats(0.0, 1e5))
def test_steps_within_undoes_stretch(step, growth, steps):
    assert steps_within(step, growth, stretch_s(step, growth, steps)) == pytest.approx(steps, rel=1e-6, abs=1e-6)


def stepped(arrivals):
    """The slow twin: one step after another, requests let in between steps."""
    costs = speed(PUBLISHED)
    waiting = sorted(enumerate(arrivals), key=lambda item: item[1][0])
    running, ends, now = {}, {}, 0.0
    while waiting or running:
        if not running and waiting:
            now = max(now, waiting[0][1][0])
        while waiting and waiting[0][1][0] <= now:
            id, (_, prompt, tokens) = waiting.pop(0)
            running[id] = [float(prompt), tokens + prompt / PUBLISHED.prefill_tokens]
        now += costs.step_s(len(running), sum(held for held, _ in running.values()))
        for id, state in list(running.items()):
            state[0] += 1.0
            state[1] -= 1.0
            if state[1] <= 1e-9:
                ends[id] = now
                del running[id]
    return ends


ARRIVALS = st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 3000), st.integers(1, 400)), min_size=1, max_size=12)


@settings(max_examples=50, deadline=None)
@given(ARRIVALS)
def test_ends_are_those_of_a_replica_stepped_token_by_token(arrivals):
    exact, slow = run(Batch(PUBLISHED, max_num_seqs=64), arrivals), stepped(arrivals)
    assert exact.keys() == slow.keys()
    for id, end in exact.items():
        assert end == pytest.approx(slow[id], abs=len(arrivals) * 0.06)  # a step or two a request


@settings(max_examples=50, deadline=None)
@given(ARRIVALS, st.integers(1, 4), st.integers(1500, 9000))
def test_every_request_ends_once_however_little_room_there_is(arrivals, max_num_seqs, kv_cache_tokens):
    batch = Batch(SpeedSettings(kv_cache_tokens=kv_cache_tokens), max_num_seqs=max_num_seqs)
    ends = run(batch, arrivals)
    assert ends.keys() == set(range(len(arrivals)))
    assert batch.generated == pytest.approx(sum(tokens for _, _, tokens in arrivals), abs=1.0)
    assert batch.running == batch.waiting == 0
    assert batch.kv_cache_usage == 0.0


def test_a_full_cache_sends_the_youngest_back_and_its_tokens_are_kept():
    batch = Batch(SpeedSettings(kv_cache_tokens=1000), max_num_seqs=4)
    ends = run(batch, [(0.0, 100, 700), (0.0, 100, 700)])
    assert batch.preempted >= 1
    assert ends[0] < ends[1]
    assert batch.generated == 1400


def test_progress_is_between_nothing_and_the_whole():
    batch = Batch(PUBLISHED, max_num_seqs=1)
    batch.add(1, prompt_tokens=10, tokens=600)
    batch.add(2, prompt_tokens=10, tokens=600)
    batch.advance(5.0)
    assert batch.progress(1) == pytest.approx(300, rel=0.02)
    assert batch.progress(2) == 0.0
    assert (batch.running, batch.waiting) == (1, 1)
    batch.remove(1)
    assert (batch.running, batch.waiting) == (1, 0)
    batch.clear()
    assert batch.next_event() == NEVER
