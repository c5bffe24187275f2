"""What is broken off, what never is, and that it does not depend on the pieces."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.teachers.loop_breaker import Break, LoopBreaker, _without_numbers, saved_tokens
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings
from reasonmill.engine.teachers.periods import PeriodFinder

STEMS = [a + b for a in ("be", "no", "ri", "ta", "sum") for b in ("la", "so", "mi", "er")]
WORDS = [stem + end for stem in STEMS for end in ("n", "t", "", "s")]


def prose(length: int, seed: int = 1) -> str:
    draw = random.Random(seed)
    text = ""
    while len(text) < length:
        text += " ".join(draw.choices(WORDS, k=draw.randint(4, 12))) + ". "
    return text[:length]


def run(text: str, *, piece: int = 4, **options: object) -> Break | None:
    breaker = LoopBreaker(LoopBreakerSettings(**options))  # type: ignore[arg-type]
    for start in range(0, len(text), piece):
        broken = breaker.feed(text[start : start + piece])
        if broken is not None:
            return broken
    return None


@given(period=st.integers(1, 8000), lead=st.integers(0, 3000), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_loop_of_any_period_is_broken_off_within_three_turns(period: int, lead: int, seed: int) -> None:
    body = prose(period, seed)
    text = prose(lead, seed + 100) + body * (2 + 40_000 // period)
    broken = run(text)
    assert broken is not None
    assert broken.finish_reason == "repetition"
    assert broken.keep <= lead + max(5000, 3 * period) + 600


@pytest.mark.parametrize("body", ["a", "ab", "哈", "重复的话。", "0 ", "\n", "\\quad ", "🙂"])
def test_short_periods_are_loops_once_they_are_long(body: str) -> None:
    broken = run(prose(500) + body * 10_000)
    assert broken is not None
    assert 5000 <= broken.keep <= 7000


def test_a_loop_whose_counter_goes_on_is_broken_off() -> None:
    text = "".join(f"Step {n}: now let me check case number {n + 1} again: {7 * n}.\n" for n in range(1200))
    broken = run(text)
    assert broken is not None
    assert broken.finish_reason == "repetition"
    assert broken.keep < 0.4 * len(text)


@given(st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_prose_is_never_broken_off(seed: int) -> None:
    assert run(prose(30_000, seed), piece=64) is None


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n" + "    print('x')\n" * 60 + prose(4000),
        "| n | square |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(300)) + prose(2000),
        "0 " * 2000 + prose(3000),
        "a" * 4000 + prose(3000),
        "-" * 200 + "\n" + prose(4000),
        (prose(1200) + "\n") * 2 + prose(5000, 2),
        "".join(f"Case n = {n}: {n} mod 7 is {n % 7}, so it {prose(10, n)}.\n" for n in range(150)),
        "[" + ", ".join("1" for _ in range(1200)) + "]" + prose(3000),
        "一个问题。" * 100 + prose(4000),
    ],
    ids=["code", "table", "zero_matrix", "aaaa", "rule", "said_twice", "cases", "ones", "chinese"],
)
def test_what_a_reader_would_keep_is_kept(text: str) -> None:
    assert run(f"<think>{text}</think><answer>42</answer>") is None


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_the_decision_does_not_depend_on_the_pieces(first: int, second: int, seed: int) -> None:
    text = prose(2500, seed) + prose(90 + seed, seed + 1) * 120
    assert run(text, piece=first) == run(text, piece=second)


@given(st.integers(1, 300), st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_a_second_thinking_is_cut_where_it_begins(piece: int, shift: int) -> None:
    whole = f"<think>{prose(300 + shift)}</think><answer>1</answer>"
    broken = run(whole + "<think>" + prose(3000), piece=piece)
    assert broken == Break(finish_reason="second_think", keep=len(whole))


def test_a_think_tag_within_the_first_thinking_is_no_second_one() -> None:
    assert run(f"<think>The tag <think> opens it. {prose(3000)}</think><answer>1</answer>") is None


@given(st.integers(1, 300), st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_what_follows_the_finished_answer_is_cut_off(piece: int, shift: int) -> None:
    whole = f"<think>{prose(300 + shift)}</think><answer>1</answer>"
    assert run(whole + prose(2000), piece=piece) == Break(finish_reason="stop", keep=len(whole))
    assert run(whole + prose(100), piece=piece) is None


def test_an_answer_tag_while_it_still_thinks_ends_nothing() -> None:
    assert run(f"<think>I write </answer> at the end. {prose(3000)}</think>") is None


def test_another_script_than_configured_is_broken_off_and_formulas_are_not() -> None:
    chinese = "这个问题需要我们仔细思考一下才能得到答案因为条件很多" * 200
    varied = "".join(chinese[(7 * n) % 20 :][:17] for n in range(400))
    broken = run(prose(3000) + varied, script="latin")
    assert broken is not None
    assert broken.finish_reason == "language"
    assert run(prose(3000) + "".join(f"{n}^2+{n}={n * n + n}; " for n in range(300)), script="latin") is None
    assert run(prose(8000), script="latin") is None
    mixed = run(prose(3000), script="han")
    assert mixed is not None
    assert mixed.finish_reason == "language"


def test_the_switch_turns_everything_off() -> None:
    assert run("a" * 50_000, enabled=False) is None


def test_numbers_longer_than_a_block_do_not_pile_up() -> None:
    breaker = LoopBreaker(LoopBreakerSettings())
    draw = random.Random(3)
    digits = "".join(draw.choices("0123456789", k=50_000))
    assert breaker.feed(digits) is None
    assert len(breaker._number_cut) <= 256


def test_saved_tokens_are_the_rest_to_the_cap_of_a_loop_and_to_the_expected_length_of_others() -> None:
    assert saved_tokens("repetition", generated=1000, cap=32_768, expected=3000.0) == 31_768
    assert saved_tokens("second_think", generated=1000, cap=32_768, expected=3000.0) == 2000
    assert saved_tokens("stop", generated=1000, cap=32_768, expected=None) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_repeats", 1),
        ("counted_repeats", 0),
        ("min_span", 0),
        ("max_period", 0),
        ("after_answer", -1),
        ("min_script_share", 0.0),
        ("script", "klingon"),
    ],
)
def test_a_wrong_threshold_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="is "):
        LoopBreakerSettings(**{field: value})  # type: ignore[arg-type]


@given(
    text=st.lists(st.tuples(st.text("ab1 \n哈", min_size=1, max_size=30), st.integers(1, 80)), min_size=1, max_size=12),
    min_span=st.integers(1, 600),
    min_repeats=st.integers(2, 6),
    max_period=st.integers(1, 300),
    stride=st.integers(1, 90),
)
@settings(max_examples=300, deadline=None)
def test_looks_that_are_left_out_decide_nothing(
    text: list[tuple[str, int]], min_span: int, min_repeats: int, max_period: int, stride: int
) -> None:
    whole = "".join(body * times for body, times in text)
    limits = {"min_span": min_span, "min_repeats": min_repeats, "max_period": max_period}
    finder = PeriodFinder(**limits)
    for end in range(stride, len(whole), stride):
        always = PeriodFinder(**limits).look(whole[:end])  # a first look is never left out
        assert finder.look(whole[end - stride : end]) == always
        if always is not None:
            return


@given(st.text("0123456789ab. ٣"))
def test_numbers_count_as_one_whatever_their_digits(text: str) -> None:
    assert _without_numbers(text) == re.sub(r"\d+", "0", text)
