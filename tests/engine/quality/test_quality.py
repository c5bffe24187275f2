"""Quality: sound answers stay accepted, loops and broken structure do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.quality.assess import assess
from reasonmill.engine.quality.repetition import repetition
from reasonmill.engine.quality.repetition_reference import commonest_ngram_count, longest_run, words_of
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Attempt
from reasonmill.verify.verdict import scored

PASS = scored(1.0, verifier="math", reason="ok")


def judged(text, finish_reason="stop", **options):
    attempt = Attempt(
        query_id="q", teacher="t", number=1, seed=1, text=text, finish_reason=finish_reason,
        prompt_tokens=1, completion_tokens=1, duration_s=0.1,
    )  # fmt: skip
    return assess(attempt, PASS, QualitySettings(**options))[0]


def test_a_sound_answer_keeps_its_verdict():
    assert judged("<think>2 + 3 = 5</think><answer>\\boxed{5}</answer>") == PASS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<think>2 + 3", "unfinished"),
        ("<think> \n</think><answer>5</answer>", "no_think"),
        ("<think>x</think><answer> </answer>", "no_answer_part"),
        ("<think>x</think><answer>5</answer><answer>6</answer>", "repeated_part"),
        ("<think>" + "wait " * 22 + "</think><answer>5</answer>", "consecutive_repetition"),
    ],
)
def test_a_fault_of_structure_fails_the_attempt_and_names_itself(text, reason):
    verdict = judged(text)
    assert (verdict.outcome, verdict.reason, verdict.score) == ("fail", reason, 1.0)


def test_an_answer_cut_by_its_token_budget_is_unfinished():
    assert judged("<think>x</think><answer>5</answer>", finish_reason="length").reason == "unfinished"


def test_a_repeated_ngram_is_counted_wherever_it_stands():
    block = " ".join(f"w{i}" for i in range(25))
    text = f"<think>{' and then '.join(block + f' {i}x' for i in range(30))}</think><answer>5</answer>"
    assert judged(text).reason == "repeated_ngram"


@pytest.mark.parametrize(
    "text",
    [
        "0.333333333333333333333333333333333333",
        "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "| 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |",
        "------------------------------------------------------------",
        "so the sum is odd, so the product is even, so the claim follows",
    ],
)
def test_what_a_reader_would_keep_is_no_loop(text):
    assert longest_run(words_of(text)) <= 20


def test_runs_and_counts_are_exact():
    assert longest_run(words_of("a b a b a b c")) == 3
    assert longest_run(words_of("好好好好")) == 4
    assert commonest_ngram_count(words_of("a b c a b c a b"), 2) == 3
    assert commonest_ngram_count(["a"], 2) == 0
    assert longest_run([]) == 0


pieces = st.sampled_from(
    ["a", "B", "the cat", " ", "  ", "好", "é", "12", "x_1", ".", "\n", "😀", "\ud800", "Ω", "\U00030000"]
)


@given(text=st.one_of(st.text(max_size=200), st.lists(pieces, max_size=200).map("".join)), n=st.integers(1, 25))
def test_the_compiled_counts_are_those_of_the_plain_twin(text, n):
    words, counts = words_of(text), repetition(text, n)
    assert counts.num_words == len(words)
    assert counts.commonest_ngram_count == commonest_ngram_count(words, n)
    assert counts.longest_run == longest_run(words)
