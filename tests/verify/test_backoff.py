"""Pauses between repeated requests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.verify.backoff import RetryPolicy, retry_after_s, worth_repeating


@given(failures=st.integers(1, 200), draw=st.floats(0, 1, exclude_max=True))
def test_pauses_double_stay_bounded_and_end(failures, draw):
    policy = RetryPolicy(max_tries=8, first_pause_s=0.5, longest_pause_s=10.0)
    pause = policy.pause_s(failures, draw=draw)
    if failures >= 8:
        assert pause is None
    else:
        whole = min(0.5 * 2 ** (failures - 1), 10.0)
        assert whole / 2 <= pause <= whole


def test_the_servers_own_wish_is_honoured_up_to_the_longest_pause():
    policy = RetryPolicy(longest_pause_s=30.0)
    assert 7.0 <= policy.pause_s(1, draw=0.3, asked_s=7.0) < 7.1
    assert 30.0 <= policy.pause_s(1, draw=0.3, asked_s=4000.0) < 30.1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header, seconds):
    assert retry_after_s(header, now=1445412480.0) == seconds


def test_nonsense_numbers_in_retry_after_ask_for_nothing():
    assert retry_after_s("nan", now=0.0) is None
    assert not math.isinf(retry_after_s("inf", now=0.0) or 0.0)


def test_what_the_client_did_wrong_is_not_repeated():
    assert [status for status in (200, 400, 401, 404, 422, 429, 500, 503) if worth_repeating(status)] == [429, 500, 503]


@pytest.mark.parametrize("wrong", [{"max_tries": 0}, {"first_pause_s": -1.0}, {"longest_pause_s": 0.1}])
def test_impossible_policies_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        RetryPolicy(**wrong)
