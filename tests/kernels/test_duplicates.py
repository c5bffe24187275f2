"""Near-duplicates of the native code against its twin and against all pairs."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import corpus_reference, duplicates, minhash_reference
from reasonmill.kernels.corpus import Banding, Corpus

# fmt: off
VOCABULARY = (
    "ann", "bob", "carl", "sells", "buys", "red", "green", "apples", "pears", "at", "the", "old", "market",
    "for", "3", "5", "coins", "each", "day",
)
# fmt: on


def edited(words: list[str], edits: list[tuple[int, str]]) -> str:
    copy = list(words)
    for at, word in edits:
        copy[at % len(copy)] = word
    return " ".join(copy)


SENTENCE = st.lists(st.sampled_from(VOCABULARY), min_size=3, max_size=25)
EDITS = st.lists(st.tuples(st.integers(0, 99), st.sampled_from(VOCABULARY)), max_size=3)
FAMILY = st.tuples(SENTENCE, st.lists(EDITS, min_size=1, max_size=4)).map(
    lambda pair: [edited(pair[0], edits) for edits in pair[1]]
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(FAMILY, max_size=3),
    st.randoms(use_true_random=False),
    st.sampled_from([0.3, 0.6]),
    st.integers(1, 3),
    st.booleans(),
)
def test_native_answers_are_those_of_the_twin(
    families: list[list[str]], rng: random.Random, threshold: float, max_bucket: int, by_content: bool
) -> None:
    texts = [text for family in families for text in family]
    rng.shuffle(texts)
    rank = None if by_content else np.array(rng.sample(range(len(texts)), len(texts)), np.int64)
    active, loose = (np.array([rng.random() < 0.7 for _ in texts], np.uint8) for _ in range(2))
    banding = Banding(bands=10, rows=2)
    prints, _ = corpus_reference.read(texts, banding, None, 1)
    expected = corpus_reference.find_duplicates(
        texts, prints, threshold, 5, rank, active, loose, None, True, max_bucket, 2
    )
    for num_threads in (1, 2):
        found = Corpus(texts, banding=banding, num_threads=num_threads).duplicates(
            threshold,
            order=None if rank is None else np.argsort(rank),
            active=active.astype(np.bool_),
            loose=loose.astype(np.bool_),
            label_variants=True,
            max_bucket=max_bucket,
            max_candidates=2,
        )
        assert np.array_equal(found.kept_as, expected[0])
        assert np.array_equal(found.jaccard, expected[1])
        assert np.array_equal(found.variant_of, expected[2])


def test_every_removed_text_is_like_the_kept_one_that_stands_for_it() -> None:
    rng = random.Random(5)
    texts = []
    for _ in range(60):
        words = rng.choices(VOCABULARY, k=60)
        texts.extend(edited(words, [(rng.randrange(60), "zebra")] * n) for n in range(4))
    kept_as, jaccard = duplicates.near_duplicates(texts, 0.8, order=np.arange(len(texts)))
    sets = [frozenset(minhash_reference.word_grams(text, 5).tolist()) for text in texts]
    assert 0 < (kept_as != np.arange(len(texts))).sum() < len(texts)
    for text, other in enumerate(kept_as.tolist()):
        assert kept_as[other] == other, "what stands for a text is kept"
        exact = len(sets[text] & sets[other]) / len(sets[text] | sets[other])
        assert jaccard[text] == exact
        assert exact >= 0.8


def test_a_bucket_of_thousands_takes_linear_time_and_keeps_every_variant() -> None:
    texts = [f"Ann has {n} red apples and Bob has {n + 1} green ones, how many do they have" for n in range(20_000)]
    kept_as, _ = duplicates.near_duplicates(texts, 0.8, order=np.arange(len(texts)))
    assert np.array_equal(kept_as, np.arange(len(texts)))


def test_thousands_of_copies_are_one() -> None:
    texts = [
        " " * (n % 50) + "Please repeat this very same prompt word for word" + "!" * (n // 50) for n in range(5_000)
    ]
    kept_as, _ = duplicates.near_duplicates(texts, 0.8, order=np.arange(len(texts))[::-1].copy())
    assert (kept_as == len(texts) - 1).all()


def test_an_order_that_is_no_permutation_is_refused() -> None:
    with pytest.raises(ValueError, match="order is no permutation of 2 texts"):
        duplicates.near_duplicates(["a", "b"], 0.8, order=np.array([0, 0]))
    with pytest.raises(ValueError, match=r"threshold: 1.5 is outside \(0, 1\]"):
        duplicates.near_duplicates(["a", "b"], 1.5)


def test_a_shared_preamble_hides_no_duplicate_and_removes_nothing_else() -> None:
    rng = random.Random(8)
    preamble = " ".join(rng.choices(VOCABULARY, k=120))
    nonsense = [f"{rng.choice(VOCABULARY)}{chr(97 + n)}" for n in range(26)]
    texts = [f"{preamble} {' '.join(rng.choices(nonsense, k=45))}" for _ in range(3_000)]
    copies = [text + " please" for text in rng.sample(texts, 200)]
    kept_as, _ = duplicates.near_duplicates([*texts, *copies], 0.8, order=np.arange(3_200))
    assert (kept_as[:3_000] == np.arange(3_000)).all()
    assert (kept_as[3_000:] < 3_000).all()
