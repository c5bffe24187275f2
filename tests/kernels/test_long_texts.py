"""Texts of thousands of words are hashed by one permutation, and still meet those that are not."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import _native, corpus, corpus_reference, minhash_reference
from reasonmill.kernels.corpus import Banding, Corpus

LONG = minhash_reference.LONG_TEXT


def words(rng: random.Random, count: int) -> list[str]:
    return [f"w{rng.randrange(10**9)}" for _ in range(count)]


def test_native_keys_of_long_texts_are_those_of_the_twin() -> None:
    rng = random.Random(1)
    texts = [" ".join(words(rng, count)) for count in (3, LONG + 4, LONG + 5, 10_000)]
    texts += ["go " * (LONG + 50), " ".join(rng.choices(words(rng, 9), k=LONG + 900)), "short but long enough of it"]
    banding = Banding(bands=7, rows=3)
    expected, _ = corpus_reference.read(texts, banding, None, 1)
    best = _native.isa()
    try:
        for isa in _native.isas():
            assert _native.use_isa(isa)
            found, _ = corpus.read(texts, banding=banding, num_threads=2)
            assert found.long_texts.tolist() == expected.long_texts.tolist() == [2, 3, 4, 5]
            assert np.array_equal(found.long_keys, expected.long_keys)
            assert np.array_equal(found.band_keys, expected.band_keys)
    finally:
        _native.use_isa(best)
    assert (expected.band_keys[:, 3] == 0).all(), "too long for MinHash"
    assert (expected.band_keys[:, 4] != 0).all(), "long, but of few distinct n-grams"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 2**64 - 2**32 - 1), max_size=60), st.integers(1, 130))
def test_slots_hold_the_least_of_their_bin_or_of_another_one(grams: list[int], bins: int) -> None:
    slots, _ = minhash_reference.one_permutation(np.array(grams, np.uint64), bins)
    least = {}
    for gram in grams:
        number = (gram & 0xFFFF_FFFF) * bins >> 32
        least[number] = min(least.get(number, 2**32 - 1), gram >> 32)
    for number, value in enumerate(slots.tolist()):
        assert value == least[number] if number in least else value in {*least.values(), 2**32 - 1}


@pytest.mark.parametrize("lengths", [(LONG - 300, LONG + 300), (LONG + 300, LONG - 300), (20_000, 20_000), (900, 900)])
def test_a_copy_is_found_on_either_side_of_the_limit(lengths: tuple[int, int]) -> None:
    rng = random.Random(2)
    base = words(rng, max(lengths))
    pair = [" ".join(base[:length]) for length in lengths]
    pair[1] += " " + " ".join("abc")
    texts = [*pair, *(" ".join(words(rng, length)) for length in lengths)]
    found = Corpus(texts, banding=Banding()).duplicates(
        0.8, order=np.arange(4), loose=np.ones(4, np.bool_), label_variants=True
    )
    assert found.kept_as.tolist() == [0, 0, 2, 3]


def test_estimates_of_similarity_are_as_good_as_those_of_minhash() -> None:
    rng = random.Random(3)
    shared, own, other = words(rng, 8000), words(rng, 1000), words(rng, 1000)
    one, two = (minhash_reference.word_grams(" ".join(part), 1) for part in ([*shared, *own], [*shared, *other]))
    left, right = (minhash_reference.one_permutation(grams, 1000)[0] for grams in (one, two))
    assert abs(float((left == right).mean()) - 0.8) < 0.04, "three standard errors"


def test_repetition_does_not_hide_a_copy() -> None:
    few, many = "go and see them now " * 40, "go and see them now " * 4000
    found = Corpus([few, many], banding=Banding()).duplicates(0.8, order=np.arange(2))
    assert found.kept_as.tolist() == [0, 0]
