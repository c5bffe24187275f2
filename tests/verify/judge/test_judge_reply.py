import pytest

from reasonmill.verify.judge_reply import read_correctness, read_preference, read_score


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("VERDICT: CORRECT", True),
        ("VERDICT: INCORRECT", False),
        ("They agree.\n**Verdict:** Correct.", True),
        ("Final verdict - incorrect", None),
        ("Final verdict: incorrect", False),
        ("INCORRECT", False),
        ("correct", True),
        ("[[CORRECT]]", True),
        ("The answer is correct.", None),
        ("It is not CORRECT", None),
        ("VERDICT: CORRECT\nOn reflection:\nVERDICT: INCORRECT", None),
        ("VERDICT: CORRECT\nVERDICT: CORRECT", True),
        ("VERDICT: CORRECT or INCORRECT", None),
        ("VERDICT: NOT CORRECT", None),
        ("no. Although one could say yes", None),
        ("<think>VERDICT: CORRECT</think>VERDICT: INCORRECT", False),
        ("<think>VERDICT: CORRECT", None),
        ("<think>is it?</think>", None),
        ("", None),
    ],
)
def test_only_one_clear_verdict_counts(reply, said):
    assert read_correctness(reply) is said


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("SCORE: 5", 5.0),
        ("SCORE: 4.5", 4.5),
        ("Score: **3/5**", 3.0),
        ("4", 4.0),
        ("SCORE: 0", 0.0),
        ("SCORE: 6", None),
        ("SCORE: 10", None),
        ("SCORE: nan", None),
        ("SCORE: -1", None),
        ("SCORE: 5\nSCORE: 1", None),
        ("I would say 5", None),
        ("SCORE: 5/10", None),
        ("SCORE: 1e400", None),
    ],
)
def test_a_score_is_one_number_in_range(reply, score):
    assert read_score(reply) == score


@pytest.mark.parametrize(
    ("reply", "preference"),
    [
        ("BETTER: A", "A"),
        ("better: [[b]]", "B"),
        ("BETTER: TIE", "tie"),
        ("Answer A", "A"),
        ("A is better than B", None),
    ],
)
def test_a_preference_is_one_letter(reply, preference):
    assert read_preference(reply) == preference
