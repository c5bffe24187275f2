"""What packers are known to get silently wrong, on whole packed sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels.row_store import IGNORED
from reasonmill.packing import pack_lengths
from reasonmill.packing.dataset import PackedReader, PackedWriter
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.stream import RowPacker
from reasonmill.packing.survey import survey_lengths


@st.composite
def sets(draw):
    """Row length, and documents: (length, first target)."""
    max_length = draw(st.sampled_from([2, 7, 64, 1000, 32749]))
    lengths = st.one_of(st.integers(2, max_length + 3), st.just(max_length), st.integers(2, min(9, max_length)))
    documents = draw(st.lists(lengths.flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))), max_size=40))
    return max_length, documents


def written(folder, max_length: int, documents: list[tuple[int, int]], window: int = 8) -> tuple[PackedReader, list]:
    """The set, and the documents that were too long. Document k has the tokens 1000 k, 1000 k + 1, …"""
    writer = PackedWriter(folder, max_length=max_length, window_documents=window)
    too_long = []
    for number, (length, first_target) in enumerate(documents):
        ids = np.arange(length, dtype=np.uint32) + 100_000 * number
        if not writer.append(ids, np.arange(length) >= first_target, document=str(number)):
            too_long.append(number)
    writer.publish(writer.finish())
    return PackedReader(folder), too_long


@settings(deadline=None, max_examples=20)
@given(sets())
def test_boundaries_are_no_targets_and_every_other_label_is_the_next_token_of_its_document(tmp_path_factory, problem):
    max_length, documents = problem
    reader, too_long = written(tmp_path_factory.mktemp("set"), max_length, documents)
    seen = list(too_long)
    num_targets = 0
    for index in range(reader.num_rows):
        row = reader.row(index)
        assert len(row.input_ids) <= max_length
        assert (row.labels[row.cu_seqlens[1:] - 1] == IGNORED).all(), "the last token of a document predicts nothing"
        learning = row.labels != IGNORED
        assert (row.labels[learning] == row.input_ids[learning] + 1).all()
        assert (row.position_ids == row.input_ids % 100_000).all(), "positions start anew in each document"
        assert reader.row_targets(index) == np.count_nonzero(learning)
        num_targets += int(np.count_nonzero(learning))
        seen += [int(name) for name in reader.names_of(index)]
    assert sorted(seen) == list(range(len(documents))), "each document is in one row, or said to be too long"
    kept = [(length, first) for length, first in documents if length <= max_length]
    assert num_targets == reader.num_targets == sum(length - first for length, first in kept)
    assert too_long == [number for number, (length, _) in enumerate(documents) if length > max_length]


@pytest.mark.parametrize("max_length", [2, 1000, 32749, 32768])
def test_documents_as_long_as_a_row_fill_it_exactly(tmp_path, max_length):
    reader, too_long = written(tmp_path / "p", max_length, [(max_length, 1), (max_length + 1, 1), (max_length, 1)])
    assert too_long == [1]
    assert (reader.num_rows, reader.fill) == (2, 1.0)
    assert reader.row(0).cu_seqlens.tolist() == [0, max_length]


@given(st.lists(st.integers(1, 40), max_size=150), st.integers(1, 60))
def test_the_stream_packs_the_very_documents_that_planning_all_at_once_packs(lengths, window):
    plan = pack_lengths(lengths, 32)
    packer = RowPacker(32, window)
    rows = [row for number, length in enumerate(lengths) if length <= 32 for row in packer.add(number, length)]
    streamed = sorted(number for row in rows + packer.flush() for number in row.documents)
    assert streamed == np.flatnonzero(plan.row_of >= 0).tolist()


@given(st.lists(st.integers(1, 40), max_size=150))
def test_reported_figures_count_all_there_is(lengths):
    survey = survey_lengths(lengths, PackSettings(max_length=32, window_documents=16), num_ranks=(1, 2, 4))
    kept = [length for length in lengths if length <= 32]
    assert (survey.num_documents, survey.num_excluded) == (len(kept), len(lengths) - len(kept))
    assert survey.num_tokens == sum(kept)
    assert survey.waste == survey.num_rows * 32 - sum(kept)
    assert survey.longest == max(lengths, default=0)
    assert survey.fill == (sum(kept) / (survey.num_rows * 32) if kept else 1.0)
    assert [balance.num_ranks for balance in survey.balance] == [n for n in (2, 4) if n <= survey.num_rows]
    assert all(balance.balanced >= 1.0 for balance in survey.balance)


def test_a_length_below_one_is_named():
    with pytest.raises(ValueError, match="length of document 2 is 0"):
        survey_lengths([1, 2, 0], PackSettings())
