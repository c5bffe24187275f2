"""The exact search for likenesses against a plain loop, whatever the blocks; the index against the exact search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.engine.curate.embedding_search import Candidates
from reasonmill.engine.curate.semantic_search import standing


def vectors(count: int, width: int, seed: int, spread: float) -> np.ndarray:
    """Unit vectors in clusters, so that many are alike."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, count // 4), width))
    found = centres[rng.integers(len(centres), size=count)] + spread * rng.normal(size=(count, width))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def by_hand(array: np.ndarray, pools: np.ndarray, threshold: float) -> list[int]:
    kept_as: list[int] = []
    for text in range(len(array)):
        best, chosen = threshold, text
        for other in range(text):
            cosine = round(float(array[text].astype(np.float64) @ array[other].astype(np.float64)), 6)
            if kept_as[other] == other and pools[other] == pools[text] and cosine > best:
                best, chosen = cosine, other
        kept_as.append(chosen)
    return kept_as


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.integers(0, 90),
    st.sampled_from([1, 7, 32, 1024]),
    st.sampled_from([0.1, 0.3]),
    st.sampled_from([None, "cpu"]),
)
def test_what_stands_for_what_is_that_of_a_plain_loop(
    seed: int, count: int, block: int, spread: float, device: str | None
) -> None:
    array = vectors(count, 24, seed, spread)
    pools = np.random.default_rng(seed).integers(3, size=count).astype(np.uint64)
    found = standing(array, pools, 0.9, block=block, device=device)
    assert found.kept_as.tolist() == by_hand(array, pools, 0.9)
    assert ((found.cosine > 0.9) == True).all()  # noqa: E712
    assert (found.kept_as[found.kept_as] == found.kept_as).all()


def test_identical_texts_stand_for_each_other_by_the_first() -> None:
    array = np.repeat(vectors(1, 8, 1, 0.1), 2000, axis=0)
    found = standing(array, np.zeros(2000, np.uint64), 0.95)
    assert (found.kept_as == 0).all()


def test_a_chain_of_likenesses_is_not_followed() -> None:
    angles = np.radians([0.0, 20.0, 40.0])
    array = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert standing(array, np.zeros(3, np.uint64), 0.9).kept_as.tolist() == [0, 0, 2]


def test_the_index_finds_nearly_all_that_the_exact_search_finds_and_nothing_else() -> None:
    array = vectors(6_000, 32, 3, 0.03)
    pools = np.zeros(len(array), np.uint64)
    exact = standing(array, pools, 0.9)
    found = standing(array, pools, 0.9, index_above=1000)
    removed, wanted = found.kept_as != np.arange(len(array)), exact.kept_as != np.arange(len(array))
    assert wanted.sum() > 3_000
    assert (removed & wanted).sum() >= 0.99 * wanted.sum()
    pairs = np.flatnonzero(removed)
    cosines = np.einsum("nd,nd->n", array[pairs].astype(float), array[found.kept_as[pairs]].astype(float))
    assert (cosines > 0.9 - 1e-6).all()
    again = standing(array, pools, 0.9, index_above=1000)
    assert (again.kept_as == found.kept_as).all()


@pytest.mark.parametrize("num_items", [1, 5, 700])
def test_the_nearest_item_is_exact_above_the_floor(num_items: int) -> None:
    items, queries = vectors(num_items, 48, 5, 0.2), vectors(400, 48, 6, 0.2)
    queries[:num_items] = (items[:400] + 0.3 * queries[: min(num_items, 400)])[: len(queries[:num_items])]
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    exact = np.round(queries.astype(np.float64) @ items.astype(np.float64).T, 6)
    best, cosines = Candidates(items, "cpu").nearest(queries, 0.9)
    above = exact.max(axis=1) > 0.9
    assert above.any()
    assert (best[above] == exact.argmax(axis=1)[above]).all()
    assert (cosines[above] == exact.max(axis=1)[above]).all()
    assert (cosines[~above] <= 0.9).all()


def test_of_equal_items_the_first_is_the_nearest() -> None:
    items = np.array([[0, 1], [1, 0], [1, 0]], np.float32)
    best, cosines = Candidates(items, "cpu").nearest(np.array([[1, 0], [0.6, 0.8]], np.float32), 0.7)
    assert best.tolist() == [1, 0]
    assert cosines.tolist() == [1.0, 0.8]
