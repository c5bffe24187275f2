"""Preference pairs in packed rows: two documents of each, always in the same row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.documents import pack_documents
from reasonmill.packing.pairs import Pair, PairReader, holds_pairs, pack_pairs
from reasonmill.packing.reader import PackedReader
from reasonmill.packing.settings import PackSettings


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return write_byte_tokenizer(tmp_path_factory.mktemp("tokenizer"))


texts = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=30).filter(str.strip)


@settings(max_examples=25)
@given(given=st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=12))
def test_every_pair_comes_back_as_its_two_conversations(tokenizer, tmp_path_factory, given):
    folder = tmp_path_factory.mktemp("packed") / "set"
    pairs = [
        Pair(name=f"p{i}", turns=(("user", turn),), chosen=chosen, rejected=rejected)
        for i, (turn, chosen, rejected) in enumerate(given)
    ]
    counts = pack_pairs(pairs, folder, tokenizer_dir=tokenizer, settings=PackSettings(max_length=400))
    assert counts.num_pairs == len(pairs)
    assert holds_pairs(folder)
    reader, encoder, seen = PairReader(folder), ChatEncoder(tokenizer), set()
    for index in range(reader.num_rows):
        row = reader.row(index)
        assert reader.row_pairs(index) == len(row.documents) == (len(row.cu_seqlens) - 1) // 2
        for place, name in enumerate(reader.names_of(index)):
            pair = pairs[int(name[1:])]
            for side, answer in enumerate((pair.chosen, pair.rejected)):
                start, end = row.cu_seqlens[2 * place + side : 2 * place + side + 2]
                expected = encoder.encode([*pair.turns, ("assistant", answer)])
                np.testing.assert_array_equal(row.input_ids[start:end], expected.input_ids)
                np.testing.assert_array_equal(row.position_ids[start:end], np.arange(end - start))
                labels = np.where(expected.target[1:], expected.input_ids[1:].astype(np.int64), -100)
                np.testing.assert_array_equal(row.labels[start:end], [*labels, -100])
            seen.add(name)
        np.testing.assert_array_equal(reader.lengths_of(index), np.diff(row.cu_seqlens))
    assert len(seen) == len(pairs)


def test_what_is_too_long_or_cannot_be_encoded_is_named(tokenizer, tmp_path):
    ask = (("user", "?"),)
    pairs = [
        Pair(name="fits", turns=ask, chosen="a", rejected="b"),
        Pair(name="long", turns=ask, chosen="a" * 100, rejected="b" * 100),
        Pair(name="ended", turns=ask, chosen="a<|im_end|>", rejected="b"),
        Pair(name="empty", turns=ask, chosen="a", rejected=" "),
    ]
    counts = pack_pairs(pairs, tmp_path / "set", tokenizer_dir=tokenizer, settings=PackSettings(max_length=200))
    assert (counts.num_pairs, counts.too_long) == (1, ("long",))
    assert [(name, why.split(":")[0]) for name, why in counts.unencodable] == [
        ("ended", "chosen"),
        ("empty", "rejected"),
    ]


def test_a_set_of_samples_is_not_taken_for_one_of_pairs(tokenizer, tmp_path):
    documents = [("d", [("user", "?"), ("assistant", "a")])]
    pack_documents(documents, tmp_path / "set", tokenizer_dir=tokenizer, settings=PackSettings(max_length=100))
    assert PackedReader(tmp_path / "set").num_rows == 1
    assert not holds_pairs(tmp_path / "set")
    with pytest.raises(ValueError, match=r"row 0 of .* holds a document that is no pair"):
        PairReader(tmp_path / "set").row(0)


def test_unpacked_every_pair_has_a_row_of_its_own(tokenizer, tmp_path):
    pairs = [Pair(name=f"p{i}", turns=(("user", "?"),), chosen="a" * (i + 1), rejected="b") for i in range(5)]
    alone = PackSettings(max_length=1000, packing=False)
    counts = pack_pairs(pairs, tmp_path / "set", tokenizer_dir=tokenizer, settings=alone)
    reader = PairReader(tmp_path / "set")
    assert counts.num_rows == 5
    assert [reader.row_pairs(row) for row in range(5)] == [1] * 5
