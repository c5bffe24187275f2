import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.packing import pack_lengths
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.stream import Row, RowPacker
from reasonmill.packing.survey import survey_lengths

LENGTHS = st.lists(st.integers(1, 100), max_size=120)
WINDOWS = st.integers(1, 40)


def all_rows(packer: RowPacker, lengths: list[int], first: int = 0) -> list[Row]:
    rows = [row for number, length in enumerate(lengths, first) for row in packer.add(number, length)]
    return rows + packer.flush()


@given(LENGTHS, WINDOWS, st.integers(0, 60))
def test_every_document_leaves_in_exactly_one_row(lengths, window, max_wait):
    rows = all_rows(RowPacker(100, window, max_wait=max_wait), lengths)
    assert sorted(number for row in rows for number in row.documents) == list(range(len(lengths)))
    assert all(row.num_tokens == sum(lengths[number] for number in row.documents) <= 100 for row in rows)


@given(LENGTHS, WINDOWS, st.integers(0, 60))
def test_a_packer_rebuilt_from_its_state_at_every_point_gives_the_same_rows(lengths, window, max_wait):
    undisturbed = all_rows(RowPacker(100, window, max_wait=max_wait), lengths)
    packer, rows = RowPacker(100, window, max_wait=max_wait), []
    for number, length in enumerate(lengths):
        packer = RowPacker.from_state(json.loads(json.dumps(packer.state())))
        rows += packer.add(number, length)
    assert rows + packer.flush() == undisturbed


@given(LENGTHS, WINDOWS)
def test_no_more_documents_wait_than_the_window_has(lengths, window):
    packer = RowPacker(100, window)
    for number, length in enumerate(lengths):
        packer.add(number, length)
        assert packer.num_waiting < max(2, window)


@given(LENGTHS, WINDOWS, st.integers(1, 100))
def test_no_document_waits_for_more_others_than_it_may(lengths, window, max_wait):
    packer = RowPacker(100, window, max_wait=max_wait)
    for number, length in enumerate(lengths):
        packer.add(number, length)
        assert packer.oldest is None or number - packer.oldest < max_wait


@given(LENGTHS, WINDOWS, st.integers(0, 120))
def test_whoever_is_older_than_a_number_leaves_when_told(lengths, window, number):
    packer = RowPacker(100, window)
    before = [row for document, length in enumerate(lengths) for row in packer.add(document, length)]
    told = packer.leave_before(number)
    assert packer.oldest is None or packer.oldest >= number
    left = sorted(document for row in before + told + packer.flush() for document in row.documents)
    assert left == list(range(len(lengths)))


def test_nobody_leaves_early_when_nobody_is_old_enough():
    packer = RowPacker(100, 40)
    packer.add(0, 30)
    assert packer.leave_before(0) == []
    assert packer.leave_before(1) == [Row(documents=(0,), num_tokens=30)]


def test_a_window_streams_nearly_as_full_as_planning_all_at_once():
    # log-normal, mean 3785, as in arXiv 2505.14464 figure 3
    draw = np.random.Generator(np.random.PCG64(1)).standard_normal(40_000)
    lengths = np.clip(np.rint(np.exp(7.75 + draw)), 16, 32768).astype(np.int64)
    streamed = len(all_rows(RowPacker(32768, 1024), lengths.tolist()))
    assert streamed <= 1.001 * pack_lengths(lengths, 32768).num_rows


def test_a_full_row_leaves_as_soon_as_the_window_is_full():
    packer = RowPacker(10, 2)
    assert packer.add(0, 4) == []
    assert packer.add(1, 6) == [Row(documents=(1, 0), num_tokens=10)]
    assert packer.num_waiting == 0


@pytest.mark.parametrize("length", [0, 11])
def test_a_length_that_fits_no_row_is_refused(length):
    with pytest.raises(ValueError, match=f"document 5 has {length} tokens, a row holds 1 to 10"):
        RowPacker(10, 4).add(5, length)


@pytest.mark.parametrize(
    ("settings", "told"),
    [((0, 1), "capacity 0"), ((1, 0), "window 0"), ((1, 1, 1.5), "min_fill 1.5"), ((1, 1, 1.0, -1), "max_wait -1")],
)
def test_a_senseless_packer_is_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        RowPacker(*settings)


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


def test_a_short_document_does_not_wait_in_the_emptiest_row_again_and_again():
    lengths = [[40, 60, 80, 120][number % 4] + number * 7 % 17 for number in range(8000)]
    packer = RowPacker(1280, 256, max_wait=10**6)
    ages = [number - min(row.documents) for number, length in enumerate(lengths) for row in packer.add(number, length)]
    assert max(ages) < 16 * 256


def test_a_window_of_one_gives_every_document_a_row_of_its_own_at_once():
    packer = RowPacker(100, 1)
    for number, length in enumerate((3, 100, 1, 50, 50)):
        assert [(row.documents, row.num_tokens) for row in packer.add(number, length)] == [((number,), length)]
    assert packer.flush() == []
    settings = PackSettings(max_length=100, packing=False, window_documents=64)
    assert survey_lengths([3, 100, 1, 50, 50], settings).num_rows == 5
    assert survey_lengths([3, 100, 1, 50, 50], PackSettings(max_length=100)).num_rows == 3
