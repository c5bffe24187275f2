import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.kernels.row_store import IGNORED, ReferenceRowStore, row_store

TOKENS = np.arange(500, dtype=np.uint32) * 3
BITS = np.random.default_rng(0).choice(np.array([0, 0xFF, 0xFF, 0x5A], np.uint8), 90)


def arrays(documents: list[tuple[int, int]], rows: list[list[int]]):
    entries = np.array([(first, first % 70, length | 9 << 32) for first, length in documents], np.uint64)
    members = np.array([document for row in rows for document in row], np.uint32)
    ends = np.cumsum([len(row) for row in rows])
    ended = np.array([(end, 5) for end in ends], np.uint64).reshape(-1, 2)
    return TOKENS, BITS, entries.reshape(-1, 3), members, ended


def is_target(first: int, place: int) -> bool:
    """Whether a token is one, of the document that begins with token `first`."""
    return bool(BITS[first % 70 + place // 8] >> place % 8 & 1)


DOCUMENTS = st.lists(st.tuples(st.integers(0, 350), st.integers(0, 150)), min_size=1, max_size=12)


@given(DOCUMENTS, st.data())
def test_a_row_is_its_documents_end_to_end(documents, data):
    rows = data.draw(st.lists(st.lists(st.integers(0, len(documents) - 1), max_size=5), min_size=1, max_size=6))
    held = arrays(documents, rows)
    for store in (row_store(*held), ReferenceRowStore(*held)):
        for chosen in ([0], range(len(rows)), []):
            slots = [(documents[d], i) for k in chosen for d in rows[k] for i in range(documents[d][1])]
            ids = [3 * (first + i) for (first, _), i in slots]
            out = np.full(5000, 1, np.uint32)
            assert out[: store.copy_rows(np.array(chosen, np.int64), out)].tolist() == ids
            assert (out[len(ids) :] == 1).all()
            made = np.full((3, 5000), 1, np.int64)
            assert store.label_rows(np.array(chosen, np.int64), *made) == len(ids)
            members, ends = store.documents_of(np.array(chosen, np.int64))
            assert members.tolist() == [d for k in chosen for d in rows[k]]
            lengths = [documents[d][1] for k in chosen for d in rows[k]]
            assert ends.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]
            learnt = [i + 1 < length and is_target(first, i + 1) for (first, length), i in slots]
            labels = [token + 3 if learns else IGNORED for token, learns in zip(ids, learnt, strict=True)]
            assert made[:, : len(ids)].tolist() == [ids, [i for _, i in slots], labels]
            assert (made[:, len(ids) :] == 1).all()


@pytest.mark.parametrize("make", [row_store, ReferenceRowStore])
@pytest.mark.parametrize("outside", [(499, 2), (69, 200), (2**63, 1), (501, 0)])
def test_what_lies_outside_is_named(make, outside):
    store = make(*arrays([(0, 4), outside], [[0], [0, 1], [7]]))
    out, made = np.zeros(300, np.uint32), np.zeros((3, 300), np.int64)
    for index in (3, -1):
        with pytest.raises(IndexError, match=f"row {index} of 3"):
            store.copy_rows(np.array([0, index]), out)
    for row, document in ((1, 1), (2, 7)):
        with pytest.raises(ValueError, match=f"document {document} of row {row} is outside of the tokens"):
            store.copy_rows(np.array([0, row]), out)
        with pytest.raises(ValueError, match=f"document {document} of row {row} is outside of the tokens"):
            store.label_rows(np.array([0, row]), *made)
        with pytest.raises(ValueError, match=f"document {document} of row {row} is outside of the tokens"):
            store.documents_of(np.array([0, row]))
    with pytest.raises(ValueError, match="out is full before the end of row 0"):
        store.copy_rows(np.array([0]), out[:3])
    with pytest.raises(ValueError, match="out is full before the end of row 0"):
        store.label_rows(np.array([0]), made[0], made[1], made[2][:3])
    assert not out.any()
    assert not made.any(), "what is refused is not written either"


@pytest.mark.parametrize("make", [row_store, ReferenceRowStore])
def test_nothing_is_read_from_a_file_that_was_cut(make, tmp_path):
    path = tmp_path / "tokens"
    path.write_bytes(b"1234")
    store = make(*arrays([(0, 4)], [[0]]), [(str(path), 4)])
    out = np.zeros(4, np.uint32)
    assert store.copy_rows(np.array([0]), out) == 4
    path.write_bytes(b"123")
    with pytest.raises(ValueError, match="a file of the store is shorter than it was"):
        store.copy_rows(np.array([0]), out)


def test_without_the_native_module_the_reference_does_the_work(monkeypatch):
    monkeypatch.setattr("reasonmill.kernels.row_store.native_available", False)
    assert isinstance(row_store(*arrays([(0, 4)], [[0]])), ReferenceRowStore)
