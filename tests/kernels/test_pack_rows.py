"""Documents laid into slots: numba's bits are the twin's, unpacking gives the documents back, mistakes are named."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonmill.kernels.pack_rows import IGNORED, _stage, document_sums, pack_rows, place, unpack
from reasonmill.kernels.pack_rows_reference import pack_rows_reference


def store_of(lengths, seed=0, extra=13):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 2**31 - 1, int(sum(lengths)) + extra).astype(np.uint32)
    bits = rng.integers(0, 256, sum((n + 7) // 8 for n in lengths) + extra).astype(np.uint8)
    bits[rng.random(len(bits)) < 0.3] = 0
    bits[rng.random(len(bits)) < 0.3] = 255
    return tokens, bits


@st.composite
def placements(draw):
    """Documents in any order and place of their store, some slots left over."""
    lengths = draw(st.lists(st.integers(1, 40), max_size=12))
    order = draw(st.permutations(range(len(lengths))))
    first_token, first_byte = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64)
    token, byte = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    for number in order:
        first_token[number], first_byte[number] = token, byte
        token, byte = token + lengths[number], byte + (lengths[number] + 7) // 8
    spare = draw(st.integers(0 if lengths else 1, 30))
    placed = place(
        lengths,
        first_token=first_token,
        first_mask_byte=first_byte,
        weights=np.linspace(0.5, 2.0, len(lengths)),
        num_slots=sum(lengths) + spare,
        max_documents=len(lengths) + draw(st.integers(0, 3)),
    )
    return lengths, placed


@given(placements(), st.sampled_from([torch.int64, torch.int32]))
@settings(max_examples=150, deadline=None)
def test_compiled_and_twin_agree_and_unpacking_gives_the_documents_back(case, dtype):
    lengths, placed = case
    tokens, bits = store_of(lengths)
    batch = pack_rows(tokens, bits, placed, pad_id=3, dtype=dtype)
    raw = (tokens.view(np.int32), bits, placed.first_token, placed.first_mask_byte, placed.weights, placed.cu_seqlens)
    expected = pack_rows_reference(
        *(torch.from_numpy(array) for array in raw),
        num_documents=len(lengths),
        num_slots=placed.num_slots,
        pad_id=3,
        ignored=IGNORED,
        dtype=dtype,
    )
    found = (batch.input_ids, batch.position_ids, batch.labels, batch.weights, batch.document_ids)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        assert torch.equal(mine, theirs)
    assert batch.max_seqlen == max([*lengths, placed.num_slots - sum(lengths)])
    documents = unpack(batch.input_ids, batch)
    assert len(documents) == len(lengths)
    for document, length, first in zip(documents, lengths, placed.first_token, strict=True):
        assert np.array_equal(document.numpy(), tokens[first : first + length].astype(np.int64))


@given(placements())
@settings(max_examples=100, deadline=None)
def test_labels_are_the_next_token_of_the_same_document_where_it_is_a_target(case):
    lengths, placed = case
    tokens, bits = store_of(lengths)
    batch = pack_rows(tokens, bits, placed)
    labels, weights = unpack(batch.labels, batch), unpack(batch.weights, batch)
    for number, length in enumerate(lengths):
        byte = placed.first_mask_byte[number]
        target = np.unpackbits(bits[byte : byte + (length + 7) // 8], count=length, bitorder="little").astype(bool)
        own = tokens[placed.first_token[number] :][:length].astype(np.int64)
        expected = np.append(np.where(target[1:], own[1:], IGNORED), IGNORED)
        assert np.array_equal(labels[number].numpy(), expected)
        assert np.array_equal(weights[number].numpy(), np.where(expected == IGNORED, 0, placed.weights[number]))
    padding = batch.document_ids == -1
    assert (batch.labels[padding] == IGNORED).all()
    assert batch.position_ids[padding].tolist() == list(range(int(padding.sum())))


@pytest.mark.parametrize("capacity", [1, 1000, 32749, 32768])
def test_a_row_may_be_full_to_the_last_slot_at_any_capacity(capacity):
    tokens, bits = store_of([capacity])
    batch = pack_rows(tokens, bits, place([capacity], num_slots=capacity))
    assert torch.equal(batch.input_ids, torch.from_numpy(tokens[:capacity].astype(np.int64)))
    assert batch.cu_seqlens.tolist() == [0, capacity, capacity]
    assert batch.labels[-1] == IGNORED


def test_what_goes_to_a_device_in_one_copy_is_what_the_twin_reads():
    lengths = [5, 1, 17]
    tokens, bits = store_of(lengths)
    placed = place(lengths, first_token=[10, 0, 15], first_mask_byte=[1, 0, 3], num_slots=30)
    options = {"num_documents": 3, "num_slots": 30, "pad_id": 9, "ignored": IGNORED, "dtype": torch.int64}
    staged = pack_rows_reference(*_stage(tokens, bits, placed, torch.device("cpu")), **options)
    assert all(part.data_ptr() % 16 == 0 for part in _stage(tokens, bits, placed, torch.device("cpu")))
    batch = pack_rows(tokens, bits, placed, pad_id=9)
    for mine, theirs in zip((batch.input_ids, batch.position_ids, batch.labels), staged[:3], strict=True):
        assert torch.equal(mine, theirs)


def test_sums_per_document_leave_the_padding_out_and_carry_gradients():
    batch = pack_rows(*store_of([2, 3]), place([2, 3], num_slots=9))
    values = torch.arange(9.0, requires_grad=True)
    sums = document_sums(values, batch)
    assert sums.tolist() == [1.0, 9.0]
    (sums * torch.tensor([1.0, 2.0])).sum().backward()
    assert values.grad.tolist() == [1, 1, 2, 2, 2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("lengths", "options", "told"),
    [
        ([3, 0], {}, "document 1 has 0 tokens"),
        ([3, -2], {}, "document 1 has -2 tokens"),
        ([3.5], {}, "expected a row of integers"),
        ([3], {"num_slots": 2}, "3 tokens do not fit into 2 slots"),
        ([1, 1], {"max_documents": 1}, "2 documents are more than max_documents 1"),
        ([], {}, "num_slots: 0"),
        ([3], {"first_token": [1, 2]}, r"first_token: shape \(2,\)"),
    ],
    ids=str,
)
def test_documents_that_cannot_be_placed_are_refused(lengths, options, told):
    with pytest.raises(ValueError, match=told):
        place(lengths, **options)


def test_a_document_outside_the_store_is_named_before_a_byte_is_read():
    tokens, bits = store_of([4], extra=0)
    with pytest.raises(ValueError, match="tokens: document 0 is 4 from 1 on, the store ends at 4"):
        pack_rows(tokens, bits, place([4], first_token=[1]))
    with pytest.raises(ValueError, match="target_bits: document 0"):
        pack_rows(tokens, bits[:0], place([4]))
    with pytest.raises(ValueError, match="tokens: expected a row of uint32, not int64"):
        pack_rows(tokens.astype(np.int64), bits, place([4]))
    with pytest.raises(ValueError, match="dtype"):
        pack_rows(tokens, bits, place([4]), dtype=torch.int16)
