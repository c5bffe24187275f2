import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.kernels.row_store import ReferenceRowStore, row_store

TOKENS = np.arange(500, dtype=np.uint32) * 3


def arrays(documents: list[tuple[int, int]], rows: list[list[int]]):
    entries = np.array([(first, 7, length | 9 << 32) for first, length in documents], np.uint64).reshape(-1, 3)
    members = np.array([document for row in rows for document in row], np.uint32)
    ends = np.cumsum([len(row) for row in rows])
    return TOKENS, entries, members, np.array([(end, 5) for end in ends], np.uint64).reshape(-1, 2)


DOCUMENTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), min_size=1, max_size=12)


@given(DOCUMENTS, st.data())
def test_a_row_is_its_documents_end_to_end(documents, data):
    rows = data.draw(st.lists(st.lists(st.integers(0, len(documents) - 1), max_size=5), min_size=1, max_size=6))
    held = arrays(documents, rows)
    for store in (row_store(*held), ReferenceRowStore(*held)):
        for chosen in ([0], range(len(rows)), []):
            expected = [3 * (documents[d][0] + i) for k in chosen for d in rows[k] for i in range(documents[d][1])]
            out = np.full(4000, 1, np.uint32)
            assert out[: store.copy_rows(np.array(chosen, np.int64), out)].tolist() == expected
            assert (out[len(expected) :] == 1).all()


@pytest.mark.parametrize("make", [row_store, ReferenceRowStore])
def test_what_lies_outside_is_named(make):
    store = make(*arrays([(0, 4), (499, 2)], [[0], [0, 1]]))
    out = np.zeros(8, np.uint32)
    for index in (2, -1):
        with pytest.raises(IndexError, match=f"row {index} of 2"):
            store.copy_rows(np.array([0, index]), out)
    with pytest.raises(ValueError, match="document 1 of row 1 is outside of the tokens"):
        store.copy_rows(np.array([0, 1]), out)
    with pytest.raises(ValueError, match="out is full before the end of row 0"):
        store.copy_rows(np.array([0]), out[:3])
    assert not out.any(), "what is refused is not written either"


def test_without_the_native_module_the_reference_does_the_work(monkeypatch):
    monkeypatch.setattr("reasonmill.kernels.row_store.native_available", False)
    assert isinstance(row_store(*arrays([(0, 4)], [[0]])), ReferenceRowStore)
