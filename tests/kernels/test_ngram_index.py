"""The native n-gram index against its twin."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reasonmill.kernels import corpus, corpus_reference, native_available, ngrams, ngrams_reference
from reasonmill.kernels.corpus import Banding, Corpus
from reasonmill.kernels.ngrams import Matches, NgramIndex

TEXT = st.lists(st.sampled_from(["a", "b", "c", "+", "中", "7", "x1"]), max_size=14).map(" ".join)


def matches(index: NgramIndex, texts: list[str], **options: int) -> Matches:
    return Corpus(texts, index=index, **options).matches


@settings(deadline=None)
@example(["c"], ["c"], 1, 2, 2, 1, 0.0)
@given(
    st.lists(TEXT, max_size=5),
    st.lists(TEXT, max_size=5),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 9),
    st.integers(1, 6),
    st.floats(0, 1),
)
def test_native_index_answers_as_its_twin(
    items: list[str],
    texts: list[str],
    ngram: int,
    short_ngram: int,
    short_tokens: int,
    least_tokens: int,
    least_share: float,
) -> None:
    assert native_available
    index = NgramIndex(items, ngram=ngram, short_ngram=short_ngram, short_tokens=short_tokens)
    twin = ngrams_reference.NgramIndex(items, ngram, short_ngram, short_tokens)
    assert index.num_grams == len(twin.grams)
    for item in range(len(items)):
        assert np.array_equal(
            index.item_grams(item), twin.item_grams[int(twin.item_offset[item]) : int(twin.item_offset[item + 1])]
        )
    _, read = corpus_reference.read(texts, None, twin, least_tokens)
    weights = np.random.default_rng(1).integers(0, 5, index.num_grams).astype(np.uint32)
    for banding in (None, Banding(ngram=ngram, bands=2, rows=2)):
        matches = Corpus(texts, banding=banding, index=index, least_tokens=least_tokens, num_threads=2).matches
        assert np.array_equal(matches.offset, read.offset)
        assert np.array_equal(matches.numbers, read.numbers)
        assert np.array_equal(matches.contained, read.contained)
        found = index.overlaps(matches, weights, least_share)
        pairs, sums = twin.overlaps(matches.offset, matches.numbers, weights, least_share)
        assert np.array_equal(np.stack([found.texts, found.items, found.num_matched], axis=1), pairs)
        assert np.array_equal(np.stack([found.matched, found.totals], axis=1), sums)
    pairs = [(text, item) for text in texts for item in range(len(items))]
    of_texts, of_items = [text for text, _ in pairs], np.array([item for _, item in pairs], np.int64)
    close = index.densest(of_texts, of_items, weights, 1.5)
    assert np.array_equal(close, twin.densest(of_texts, of_items, weights, 1.5))


def test_what_stands_far_apart_does_not_add_up() -> None:
    index = NgramIndex(["a b c d e f g h"], ngram=2)
    weights, item = np.ones(index.num_grams, np.uint32), np.zeros(1, np.int64)
    near, far = "a b c x e f g", "a b c " + "x " * 20 + "e f g"
    assert index.densest([near], item, weights, 2.0).tolist() == [4]
    assert index.densest([far], item, weights, 2.0).tolist() == [2]
    assert index.densest([far], item, weights, 20.0).tolist() == [4]
    assert index.densest(["a b " * 9], item, weights, 2.0).tolist() == [1]
    assert index.densest([], item[:0], weights, 2.0).tolist() == []


def test_overlap_counts_distinct_ngrams_and_weighs_them() -> None:
    index = NgramIndex(["a b c d e f", "x y z"], ngram=3)
    assert index.num_grams == 5
    weights = np.full(5, 10, np.uint32)
    overlaps = index.overlaps(matches(index, ["a b c d, and again a b c d", "nothing", "x y z"]), weights, 0.5)
    assert overlaps.texts.tolist() == [0, 2]
    assert overlaps.items.tolist() == [0, 1]
    assert overlaps.num_matched.tolist() == [2, 1]
    assert (overlaps.matched / overlaps.totals).tolist() == [0.5, 1.0]


def test_containment_is_of_whole_tokens() -> None:
    index = NgramIndex(["2 + 3", "cat", "", "the cat sat on the mat today"], ngram=5)
    texts = ["What is 2 + 3?", "12 + 3", "2 + 35", "concatenate", "a cat", "Yes: THE CAT sat; on the mat, today!"]
    assert matches(index, texts).contained.tolist() == [[0, 0], [4, 1], [5, 1], [5, 3]]
    assert matches(index, ["cat", "a cat", "2 + 3"], least_tokens=4).contained.tolist() == [[0, 1], [2, 0]]


def test_answers_do_not_depend_on_threads() -> None:
    items = [f"item {n} says that {n} and {n + 1} make {2 * n + 1} in the end" for n in range(300)]
    texts = [f"preamble {n}. {item}" for n, item in enumerate(items * 4)]
    index = NgramIndex(items)
    one, three = (matches(index, texts, num_threads=threads) for threads in (1, 3))
    assert np.array_equal(one.numbers, three.numbers)
    assert np.array_equal(one.offset, three.offset)
    assert np.array_equal(one.contained, three.contained)


def test_matches_of_some_texts_leave_the_others_empty() -> None:
    index = NgramIndex(["a b c"], ngram=2)
    found = matches(index, ["a b", "a b c", "b c", "z"]).where(np.array([True, False, True, True]))
    assert found.offset.tolist() == [0, 1, 1, 2, 2]
    assert index.count_texts(found).tolist() == [1, 1]
    assert found.contained.tolist() == []


def test_weights_of_another_index_are_refused() -> None:
    index = NgramIndex(["a b c"], ngram=3)
    with pytest.raises(ValueError, match=r"weights are float64 \(2,\), expected uint32 \(1,\)"):
        index.overlaps(matches(index, ["a"]), np.ones(2), 0.3)  # type: ignore[arg-type]


def test_without_the_native_module_the_twin_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, items = ["one two three four five six", "other"], ["one two three four five"]
    native = matches(NgramIndex(items), texts)
    monkeypatch.setattr(ngrams, "native_available", False)
    monkeypatch.setattr(corpus, "native_available", False)
    twin = matches(NgramIndex(items), texts)
    assert np.array_equal(native.numbers, twin.numbers)
    assert np.array_equal(native.contained, twin.contained)
