"""Texts that nobody should send, through the public entry points: no crash, and the answer that the rules give."""

import random

import numpy as np
import pytest

from reasonmill.engine.curate import near_duplicates
from reasonmill.kernels import minhash
from reasonmill.kernels.minhash import signatures


def test_nothing_and_next_to_nothing() -> None:
    assert signatures([]).shape == (0, 128)
    assert near_duplicates([]).dtype == np.int64
    odd = ["", " ", "word", "\x00", "\x00\x00", "\ud800", "\ud800\udfff", "one two three four", "\u0301", "\u200b"]
    assert (signatures(odd) == 0xFFFF_FFFF).all()
    assert near_duplicates(odd).tolist() == list(range(len(odd)))
    assert near_duplicates(odd * 3).tolist() == list(range(len(odd))) * 3


def test_a_million_words_are_read_and_compared() -> None:
    rng = random.Random(1)
    words = [f"w{rng.randrange(50_000)}" for _ in range(1_000_000)]
    whole = " ".join(words)
    words[500_000] = "zebra"
    edited = " ".join(words)
    slots = signatures([whole, edited, whole], num_threads=2)
    assert (slots[0] == slots[2]).all()
    assert (slots[0] == slots[1]).mean() > 0.9
    assert len(set(near_duplicates([whole, edited, whole.upper()]).tolist())) == 2, "zebra displaced a number"
    assert len(set(near_duplicates([whole, whole.upper(), whole + "."]).tolist())) == 1


def test_numbers_without_end_take_linear_time() -> None:
    for text in ("1." * 200_000, "1,234" * 100_000, "9" * 500_000, ",1" * 200_000, "-" * 400_000, "中" * 300_000):
        assert near_duplicates([text, text]).tolist() == [0, 0]


def test_identical_prompts_by_the_ten_thousand_are_one() -> None:
    texts = ["Say the same five words again"] * 50_000 + ["something else, of five words"]
    found = near_duplicates(texts)
    assert (found[:-1] == 0).all()
    assert found[-1] == len(texts) - 1


def test_one_word_repeated_is_one_shingle() -> None:
    found = near_duplicates(["go " * 5, "go " * 500, "go " * 4])
    assert found[0] == found[1], "the sets are equal"
    assert found[2] == 2


@pytest.mark.parametrize("num_threads", [1, 2, 7])
def test_threads_change_nothing(num_threads: int) -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices("abcdefgh", k=40)) for _ in range(500)]
    assert np.array_equal(signatures(texts, num_threads=num_threads), signatures(texts))
    assert np.array_equal(near_duplicates(texts, 0.3, num_threads=num_threads), near_duplicates(texts, 0.3))


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(TypeError, match="text 1 is no str but NoneType"):
        near_duplicates(["fine", None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="threshold: nan"):
        near_duplicates(["fine"], float("nan"))
    with pytest.raises(ValueError, match="ngram: 0"):
        minhash.signatures(["fine"], ngram=0)
