import math

from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.evaluate.result import Judged, summarise


def judged(question: int, right: bool | None, *, tokens: int = 1, finished: bool = True) -> Judged:
    return Judged(question=question, source="s", right=right, completion_tokens=tokens, finished=finished)


def test_questions_weigh_the_same_however_many_samples_could_be_checked() -> None:
    samples = [judged(0, True), judged(0, True), judged(0, True), judged(1, False), judged(1, None), judged(1, None)]
    result = summarise("m", samples, 3)
    assert (result.pass_at_1, result.num_unchecked) == (0.5, 2)
    assert result.stderr == 0.5


def test_nothing_checked_is_no_score() -> None:
    result = summarise("m", [judged(0, None)], 1)
    assert (result.pass_at_1, result.stderr, result.by_source) == (None, None, {})


def test_lengths_are_of_answers_and_the_stop_ratio_too() -> None:
    samples = [judged(0, True, tokens=10), judged(1, False, tokens=30, finished=False), judged(2, False, tokens=0)]
    result = summarise("m", samples, 1)
    assert (result.mean_completion_tokens, result.stop_ratio) == (20.0, 0.5)


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_with_one_sample_the_standard_error_is_the_binomial_one(rights: list[bool]) -> None:
    result = summarise("m", [judged(i, right) for i, right in enumerate(rights)], 1)
    n, p = len(rights), sum(rights) / len(rights)
    assert result.pass_at_1 is not None
    assert result.stderr is not None
    assert math.isclose(result.pass_at_1, p)
    assert math.isclose(result.stderr, math.sqrt(p * (1 - p) / (n - 1)), abs_tol=1e-12)


@given(st.permutations([judged(i % 5, i % 3 == 0) for i in range(15)]))
def test_the_order_of_samples_does_not_matter(samples: list[Judged]) -> None:
    assert summarise("m", samples, 3) == summarise("m", [judged(i % 5, i % 3 == 0) for i in range(15)], 3)
