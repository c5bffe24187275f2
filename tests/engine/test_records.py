"""Ids and seeds: functions of content alone."""

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.records import attempt_seed, content_id


def test_the_same_content_has_the_same_id_on_every_machine():
    assert content_id("math", "What is 2 + 3?") == "a1718883acfa3546c3602f61115b4add"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_parts_have_different_ids(left, right):
    assert (content_id(*left) == content_id(*right)) == (left == right)


@given(st.integers(0, 2**62), st.text(), st.text(), st.integers(1, 100))
def test_a_seed_is_a_31_bit_function_of_its_arguments(run_seed, query, teacher, number):
    seed = attempt_seed(run_seed, query, teacher, number)
    assert seed == attempt_seed(run_seed, query, teacher, number)
    assert 0 <= seed < 2**31
