"""What a caller may give as texts and numbers, and what is refused by name: the two public functions alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow
import pytest
from numpy.typing import NDArray

from reasonmill.engine.curate import near_duplicates
from reasonmill.kernels.minhash import signatures

TEXT = "one two three four five six seven"
TEXTS = ["another text of some more words", TEXT, TEXT]
FUNCTIONS: list[Callable[..., NDArray[Any]]] = [near_duplicates, signatures]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "texts",
    [
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        [np.str_(text) for text in TEXTS],
        pyarrow.array(TEXTS),
        pyarrow.array(["dropped", *TEXTS], pyarrow.large_string())[1:],
        pyarrow.chunked_array([TEXTS[:1], [], TEXTS[1:]]),
        pyarrow.table({"text": TEXTS})["text"],
    ],
)
def test_every_form_of_the_same_texts_has_the_same_answer(function: Callable[..., NDArray[Any]], texts: Any) -> None:
    assert np.array_equal(function(texts), function(TEXTS))
    assert np.array_equal(function(iter(TEXTS)), function(TEXTS))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("texts", [TEXT, TEXT.encode(), {TEXT}, {TEXT: 1}, None, 7, [TEXT, None], [TEXT.encode()]])
def test_what_is_no_sequence_of_texts_is_refused(function: Callable[..., NDArray[Any]], texts: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a sequence of str|is no str but"):
        function(texts)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arrays_that_hold_something_else_are_refused(function: Callable[..., NDArray[Any]]) -> None:
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        function(pyarrow.array([TEXT, None]))
    with pytest.raises(ValueError, match="the array holds int64"):
        function(pyarrow.chunked_array([[1], [2]]))
    assert len(function(pyarrow.chunked_array([], pyarrow.string()))) == 0


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("num_threads", [-1, 1.5, "2"])
def test_a_number_of_threads_that_is_none_is_refused(function: Callable[..., NDArray[Any]], num_threads: Any) -> None:
    with pytest.raises(ValueError, match=f"num_threads: {num_threads!r}"):
        function(TEXTS, num_threads=num_threads)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", None),
        ("seed", -1),
        ("seed", 2**32),
        ("num_perm", 1.5),
        ("num_perm", 2**63),
        ("ngram", "5"),
        ("ngram", 2**70),
    ],
)
def test_a_number_that_makes_no_signature_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: "):
        signatures(TEXTS, **{name: value})


@pytest.mark.parametrize("threshold", ["0.8", None, 0, 1.1, float("nan")])
def test_a_threshold_that_is_none_is_refused_with_its_value(threshold: Any) -> None:
    with pytest.raises(ValueError, match="threshold: "):
        near_duplicates(TEXTS, threshold)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [0.0, 1.0, 2.0]])
def test_an_order_that_is_no_permutation_is_refused(order: Any) -> None:
    with pytest.raises(ValueError, match="no permutation of 3 texts"):
        near_duplicates(TEXTS, order=order)
    assert near_duplicates(TEXTS, order=[2, 1, 0]).tolist() == [0, 2, 2]  # type: ignore[arg-type]
