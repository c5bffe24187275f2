import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.packing.planner import pack_lengths
from reasonmill.packing.stream import Row, RowPacker

LENGTHS = st.lists(st.integers(1, 100), max_size=120)


def all_rows(packer: RowPacker, lengths: list[int], first: int = 0) -> list[Row]:
    rows = [row for number, length in enumerate(lengths, first) for row in packer.add(number, length)]
    return rows + packer.flush()


@given(LENGTHS, st.integers(1, 40))
def test_every_document_leaves_in_exactly_one_row(lengths, window):
    rows = all_rows(RowPacker(100, window), lengths)
    assert sorted(number for row in rows for number in row.documents) == list(range(len(lengths)))
    assert all(row.num_tokens == sum(lengths[number] for number in row.documents) <= 100 for row in rows)


@given(LENGTHS, st.integers(1, 40), st.integers(0, 120))
def test_a_packer_rebuilt_from_its_state_gives_the_same_rows(lengths, window, cut):
    undisturbed = all_rows(RowPacker(100, window), lengths)
    first = RowPacker(100, window)
    before = [row for number, length in enumerate(lengths[:cut]) for row in first.add(number, length)]
    resumed = RowPacker.from_state(json.loads(json.dumps(first.state())))
    assert before + all_rows(resumed, lengths[cut:], first=len(lengths[:cut])) == undisturbed


@given(LENGTHS, st.integers(1, 40))
def test_no_more_documents_wait_than_the_window_has(lengths, window):
    packer = RowPacker(100, window)
    for number, length in enumerate(lengths):
        packer.add(number, length)
        assert packer.num_waiting < max(2, window)


def test_a_window_streams_nearly_as_full_as_planning_all_at_once():
    lengths = [1 + (number * 7919) % 97 for number in range(5000)]
    streamed = len(all_rows(RowPacker(1000, 256), lengths))
    assert streamed <= 1.01 * pack_lengths(lengths, 1000).num_rows


def test_a_full_row_leaves_as_soon_as_the_window_is_full():
    packer = RowPacker(10, 2)
    assert packer.add(0, 4) == []
    assert packer.add(1, 6) == [Row(documents=(1, 0), num_tokens=10)]
    assert packer.num_waiting == 0


@pytest.mark.parametrize("length", [0, 11])
def test_a_length_that_fits_no_row_is_refused(length):
    with pytest.raises(ValueError, match=f"document 5 has {length} tokens, a row holds 1 to 10"):
        RowPacker(10, 4).add(5, length)


def test_a_state_without_a_key_is_named():
    with pytest.raises(ValueError, match="lacks 'window'"):
        RowPacker.from_state({"capacity": 3, "min_fill": 1.0, "waiting": []})


def test_rows_of_short_documents_mix_lengths_so_that_a_step_does_not_learn_one_kind():
    packer = RowPacker(1280, 256)
    lengths = [60 if number % 2 else 80 for number in range(256)]
    rows = [row for number, length in enumerate(lengths) for row in packer.add(number, length)]
    assert rows
    for row in rows:
        share = sum(lengths[document] == 60 for document in row.documents) / len(row.documents)
        assert 0.2 < share < 0.8
