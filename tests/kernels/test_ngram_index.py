"""The native n-gram index against its twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels import characters, native_available, ngrams, ngrams_reference
from reasonmill.kernels.ngrams import NgramIndex

if native_available:
    from reasonmill.kernels import _native

TEXT = st.lists(st.sampled_from(["a", "b", "c", "+", "中", "7", "x1"]), max_size=14).map(" ".join)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=5), st.lists(TEXT, max_size=5), st.integers(1, 4), st.integers(1, 6), st.floats(0, 1))
def test_native_index_answers_as_its_twin(
    items: list[str], texts: list[str], ngram: int, least_tokens: int, least_share: float
) -> None:
    native = _native.NgramIndex(items, ngram, characters.table())
    twin = ngrams_reference.NgramIndex(items, ngram)
    assert np.array_equal(native.grams, twin.grams)
    assert np.array_equal(native.item_offset, twin.item_offset)
    assert np.array_equal(native.item_grams, twin.item_grams)
    assert np.array_equal(native.count_texts(texts, 2), twin.count_texts(texts))
    assert np.array_equal(native.containments(texts, least_tokens, 2), twin.containments(texts, least_tokens))
    weights = np.random.default_rng(1).integers(0, 5, len(twin.grams)).astype(np.uint32)
    for found, expected in zip(
        native.overlaps(texts, weights, least_share, 2), twin.overlaps(texts, weights, least_share), strict=True
    ):
        assert np.array_equal(found, expected)


def test_overlap_counts_distinct_ngrams_and_weighs_them() -> None:
    index = NgramIndex(["a b c d e f", "x y z"], ngram=3)
    assert index.num_grams == 5
    weights = np.full(5, 10, np.uint32)
    overlaps = index.overlaps(["a b c d, and again a b c d", "nothing", "x y z"], weights, 0.5)
    assert overlaps.texts.tolist() == [0, 2]
    assert overlaps.items.tolist() == [0, 1]
    assert overlaps.num_matched.tolist() == [2, 1]
    assert (overlaps.matched / overlaps.totals).tolist() == [0.5, 1.0]


def test_containment_is_of_whole_tokens() -> None:
    index = NgramIndex(["2 + 3", "cat", "", "the cat sat on the mat today"], ngram=5)
    texts = ["What is 2 + 3?", "12 + 3", "2 + 35", "concatenate", "a cat", "Yes: THE CAT sat; on the mat, today!"]
    assert index.containments(texts).tolist() == [[0, 0], [4, 1], [5, 1], [5, 3]]
    assert index.containments(["cat", "a cat", "2 + 3"], least_tokens=4).tolist() == [[0, 1], [2, 0]]


def test_answers_do_not_depend_on_threads() -> None:
    items = [f"item {n} says that {n} and {n + 1} make {2 * n + 1} in the end" for n in range(300)]
    texts = [f"preamble {n}. {item}" for n, item in enumerate(items * 4)]
    one = NgramIndex(items, num_threads=1)
    two = NgramIndex(items, num_threads=3)
    weights = np.ones(one.num_grams, np.uint32)
    assert np.array_equal(one.count_texts(texts), two.count_texts(texts))
    assert np.array_equal(one.containments(texts), two.containments(texts))
    assert np.array_equal(one.overlaps(texts, weights, 0.3).items, two.overlaps(texts, weights, 0.3).items)


def test_weights_of_another_index_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights are float64 \(2,\), expected uint32 \(1,\)"):
        NgramIndex(["a b c"], ngram=3).overlaps(["a"], np.ones(2), 0.3)  # type: ignore[arg-type]


def test_without_the_native_module_the_twin_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, items = ["one two three four five six", "other"], ["one two three four five"]
    native = NgramIndex(items)
    monkeypatch.setattr(ngrams, "native_available", False)
    twin = NgramIndex(items)
    weights = np.ones(1, np.uint32)
    assert np.array_equal(native.count_texts(texts), twin.count_texts(texts))
    assert np.array_equal(native.containments(texts), twin.containments(texts))
    assert np.array_equal(native.overlaps(texts, weights, 0.3).totals, twin.overlaps(texts, weights, 0.3).totals)
