"""What is asked first: expectations, the ready queue, the drain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.distill.drain import MIN_NEED, Drain
from reasonmill.engine.distill.expectations import Expectations, History
from reasonmill.engine.distill.pair import Pair
from reasonmill.engine.distill.ready_queue import ReadyQueue
from reasonmill.engine.records import Message, Query

QUERY = Query(id="q", messages=(Message(role="user", content="1+1?"),), category="math", source="t")


def pair_of(ordinal, **state):
    return Pair(ordinal=ordinal, query=QUERY, teacher="t", **state)


def test_failures_lower_the_chance_of_a_query_and_successes_elsewhere_raise_it_less():
    expect = Expectations()
    chances = []
    history = History()
    for _ in range(5):
        chances.append(expect.pass_chance("t", "math", history))
        history.note_verdict("t", accepted=False)
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] < 0.15
    helped, own = History(rejected={"t": 1}), History(rejected={"t": 1})
    helped.note_verdict("other", accepted=True)
    own.note_verdict("t", accepted=True)
    alone = expect.pass_chance("t", "math", History(rejected={"t": 1}))
    assert alone < expect.pass_chance("t", "math", helped) < expect.pass_chance("t", "math", own)


def test_the_prior_follows_the_teacher_in_the_category():
    expect = Expectations()
    for _ in range(200):
        expect.learn_verdict("t", "code", accepted=False)
        expect.learn_verdict("t", "math", accepted=True)
    assert expect.pass_chance("t", "code", History()) < 0.05
    assert expect.pass_chance("t", "math", History()) > 0.95
    assert expect.pass_chance("u", "code", History()) == pytest.approx(0.7)


def test_a_query_whose_answers_were_long_is_expected_to_be_long_again():
    expect = Expectations()
    for tokens in [1000] * 50:
        expect.learn_length("t", "math", tokens)
    long, short = History(), History()
    expect.note_length("t", "math", long, 8000)
    expect.note_length("t", "math", short, 200)
    fresh = expect.tokens("t", "math", History())
    assert expect.tokens("t", "math", short) < fresh < expect.tokens("t", "math", long) < 8000


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0.01, 0.99), st.floats(1, 1e5)), max_size=40))
def test_every_pair_comes_out_once_and_earlier_windows_first(items):
    queue = ReadyQueue("finish", window=10)
    for ordinal, chance, tokens in items:
        queue.put(pair_of(ordinal), pass_chance=chance, tokens=tokens)
    out = [queue.get().ordinal for _ in items]
    assert sorted(out) == sorted(ordinal for ordinal, _, _ in items)
    assert [o // 10 for o in out] == sorted(o // 10 for o in out)
    assert len(queue) == 0


def first(ranking):
    queue = ReadyQueue(ranking, window=100)
    queue.put(pair_of(1), pass_chance=0.9, tokens=1000.0)
    queue.put(pair_of(2), pass_chance=0.9, tokens=5000.0)
    queue.put(pair_of(3), pass_chance=0.1, tokens=4000.0)
    return [queue.get().ordinal for _ in range(3)]


def test_the_longest_way_to_acceptance_goes_first_or_the_best_value_or_the_oldest():
    assert first("finish") == [3, 2, 1]
    assert first("value") == [2, 1, 3]
    assert first("arrival") == [1, 2, 3]


def test_once_no_query_will_come_what_may_be_long_goes_first():
    """Queries 5 and 95 were never answered; 1 and 2 were, 3 was deferred: windows and deferral count no more."""
    waiting = {
        1: {"tokens": 9000.0, "known": True},
        2: {"tokens": 300.0, "known": True},
        3: {"tokens": 8000.0, "known": True},
        5: {"tokens": 4000.0, "known": False},
        95: {"tokens": 5000.0, "known": False},
    }

    def order(ranking):
        queue = ReadyQueue(ranking, window=10)
        for ordinal, expected in waiting.items():
            queue.put(pair_of(ordinal, late=ordinal == 3), pass_chance=0.5, **expected)
        before = [queue.get().ordinal for _ in waiting]
        for ordinal, expected in list(waiting.items())[:3]:
            queue.put(pair_of(ordinal, late=ordinal == 3), pass_chance=0.5, **expected)
        queue.begin_end()
        for ordinal, expected in list(waiting.items())[3:]:
            queue.put(pair_of(ordinal), pass_chance=0.5, **expected)
        return before, [queue.get().ordinal for _ in waiting]

    assert order("finish") == ([1, 5, 2, 95, 3], [95, 5, 1, 3, 2])
    assert order("value") == ([1, 5, 2, 95, 3],) * 2
    assert order("arrival") == ([1, 2, 5, 95, 3],) * 2


def test_the_drain_asks_the_longest_of_those_that_may_need_one_more_attempt():
    drain = Drain()
    long, short = pair_of(1, open={3}), pair_of(2, open={1})
    drain.put(short, pass_chance=0.05, tokens=500.0)
    drain.put(long, pass_chance=0.6, tokens=9000.0)
    assert drain.get() is long
    long.open.add(4)
    drain.put(long, pass_chance=0.6, tokens=9000.0)
    assert drain.get() is long  # 0.16: two attempts under way may still both fail
    long.open.add(5)
    drain.put(long, pass_chance=0.6, tokens=9000.0)
    assert drain.get() is short  # a fourth of the long one is hardly needed
    assert drain.get() is None


def test_the_drain_forgets_pairs_that_changed_or_ended_and_those_hardly_in_need():
    drain = Drain()
    pair = pair_of(1, open={1})
    drain.put(pair, pass_chance=0.5, tokens=10.0)
    drain.put(pair, pass_chance=0.6, tokens=10.0)
    pair.open.clear()
    assert drain.get() is None
    drain.put(pair_of(2, open={1}), pass_chance=1.0 - MIN_NEED / 2, tokens=10.0)
    assert drain.get() is None
