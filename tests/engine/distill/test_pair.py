"""A pair: the lowest number that decides it settles it, whatever the order in which verdicts come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.distill.pair import Judged, Pair
from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.records import Message, Query

QUERY = Query(id="q", messages=(Message(role="user", content="1+1?"),), category="math", source="t")


def outcome(kind, tokens=10):
    return Judged(
        accepted=kind == "pass",
        final=kind == "final",
        score={"pass": 1.0, "half": 0.5}.get(kind, None if kind == "final" else 0.0),
        reason={"pass": "ok", "final": "unverifiable_gold"}.get(kind, "wrong_answer"),
        tokens=tokens,
    )


def settled(outcomes, settings):
    """The settlement of a pair that is asked one attempt at a time."""
    pair = Pair(ordinal=0, query=QUERY, teacher="t")
    while (end := pair.settlement(settings)) is None:
        pair.judged[pair.next_number(settings)] = outcomes[pair.first_unjudged() - 1]
    return end


kinds = st.lists(st.sampled_from(["pass", "fail", "half", "final"]), min_size=6, max_size=6)


@given(kinds=kinds, order=st.randoms(use_true_random=False), mode=st.sampled_from(["until_verified", "k_pass"]))
def test_asked_at_once_or_one_by_one_a_pair_ends_in_the_same_way(kinds, order, mode):
    settings = AttemptSettings(mode=mode, max_attempts=6, responses=6, max_tokens_per_pair=45)
    outcomes = [outcome(kind) for kind in kinds]
    expected = settled(outcomes, settings)
    pair = Pair(ordinal=0, query=QUERY, teacher="t")
    while (end := pair.settlement(settings)) is None:
        number = pair.next_number(settings)
        if number is not None and (order.random() < 0.6 or not pair.open):
            pair.open.add(number)
        else:
            number = order.choice(sorted(pair.open))
            pair.open.discard(number)
            pair.judged[number] = outcomes[number - 1]
    assert (end.accepted, end.last, end.reason) == (expected.accepted, expected.last, expected.reason)


def test_an_accepted_attempt_waits_for_lower_numbers_and_makes_losers_of_higher_ones():
    settings = AttemptSettings(max_attempts=5)
    pair = Pair(ordinal=0, query=QUERY, teacher="t", open={1, 2, 4})
    pair.judged[3] = outcome("pass")
    assert pair.settlement(settings) is None
    assert pair.losers(settings) == {4}
    assert pair.next_number(settings) is None
    pair.judged |= {1: outcome("fail"), 2: outcome("fail")}
    assert pair.settlement(settings).accepted == 3


def test_an_exhausted_pair_keeps_its_best_attempt_and_the_last_reason():
    end = settled([outcome("fail"), outcome("half"), outcome("half"), outcome("fail")], AttemptSettings(max_attempts=4))
    assert (end.accepted, end.last, end.reason, end.best, end.best_score) == (None, 4, "wrong_answer", 2, 0.5)


def test_a_pair_is_given_up_when_its_attempts_have_cost_enough():
    settings = AttemptSettings(max_attempts=9, max_tokens_per_pair=25)
    end = settled([outcome("fail")] * 9, settings)
    assert (end.last, end.reason) == (3, "token_budget")
    assert settled([outcome("fail")] * 2 + [outcome("pass")], settings).accepted == 3


def test_k_responses_are_asked_whatever_the_verdicts_and_the_first_accepted_is_named():
    settings = AttemptSettings(mode="k_pass", responses=4)
    end = settled([outcome("fail"), outcome("pass"), outcome("pass"), outcome("fail")], settings)
    assert (end.accepted, end.last) == (2, 4)
    assert settled([outcome("fail")] * 4, settings).accepted is None


def test_what_ends_from_outside_ends_at_the_attempt_that_would_have_counted_next():
    pair = Pair(
        ordinal=0, query=QUERY, teacher="t", judged={1: outcome("fail"), 2: outcome("half"), 4: outcome("fail")}
    )
    end = pair.given_up("refused", "too long")
    assert (end.accepted, end.last, end.reason, end.detail, end.best) == (None, 3, "refused", "too long", 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_attempts": 0}, "max_attempts: 0 is not positive"),
        ({"max_hours": -1.0}, "max_hours: -1.0 is not positive"),
        ({"mode": "often"}, "mode: 'often' is none of until_verified, k_pass, multi_round"),
        ({"order": "random"}, "order: 'random' is none of"),
        ({"threshold": 1.5}, "threshold: 1.5 is outside"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_value(wrong, message):
    with pytest.raises(ValueError, match=message):
        AttemptSettings(**wrong)


def test_auto_ranks_by_value_only_under_a_budget_of_the_whole_run():
    assert AttemptSettings().ranking == "finish"
    assert AttemptSettings(max_tokens_total=10).ranking == "value"
    assert AttemptSettings(order="arrival", max_hours=1.0).ranking == "arrival"
