"""Every way of attention that runs here gives each document what it gets alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reasonmill.kernels.attention import attend, documents_of, ways

torch.set_num_threads(1)  # two threads on two busy cores wait for each other

ROWS = {
    "one token": [1],
    "only single tokens": [1] * 7,
    "one document": [40],
    "mixed": [3, 1, 17, 18, 1, 60, 2, 19],
}
HEADS, KV_HEADS, WIDTH = 4, 2, 16


def exact(query, key, value, lengths):
    """Softmax attention of each document alone, in float64, by its definition."""
    parts, start = [], 0
    for length in lengths:
        own = slice(start, start + length)
        k, v = (x[0, :, own].double().repeat_interleave(HEADS // KV_HEADS, 0) for x in (key, value))
        scores = query[0, :, own].double() @ k.transpose(1, 2) / WIDTH**0.5
        later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
        parts.append(torch.softmax(scores.masked_fill(later, -torch.inf), -1) @ v)
        start += length
    return torch.cat(parts, 1).transpose(0, 1)[None]


def compare(lengths, device, dtype, tolerance):
    torch.manual_seed(len(lengths))
    total = sum(lengths)
    tensors = [
        torch.randn(1, heads, total, WIDTH).to(device, dtype).requires_grad_() for heads in (HEADS, KV_HEADS, KV_HEADS)
    ]
    upstream = torch.randn(1, total, HEADS, WIDTH).to(device, dtype)
    expected = exact(*tensors, lengths)
    wanted = [expected, *torch.autograd.grad(expected, tensors, upstream.double())]
    documents = documents_of(np.concatenate(([0], np.cumsum(lengths))), device)
    for way in ways(torch.device(device), dtype, WIDTH):
        out, weights = attend(None, *tensors, None, documents=documents, way=way, scaling=WIDTH**-0.5)
        assert weights is None
        found = [out, *torch.autograd.grad(out, tensors, upstream)]
        for mine, theirs in zip(found, wanted, strict=True):
            # alone in its document a query has no gradient at all: there the upstream's size is the measure
            error = (mine.double() - theirs).norm() / max(theirs.norm(), upstream.norm())
            assert error < tolerance, way


@pytest.mark.parametrize("lengths", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)], ids=str)
def test_each_document_attends_to_itself_alone(lengths, dtype, tolerance):
    compare(lengths, "cpu", dtype, tolerance)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: its ways of attention cannot run")
@pytest.mark.parametrize("lengths", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-3), (torch.bfloat16, 1e-2)], ids=str)
def test_each_document_attends_to_itself_alone_on_a_gpu(lengths, dtype, tolerance):
    compare(lengths, "cuda", dtype, tolerance)


def of_2_10(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None):
    return by_torch(query, key, value, cu_seq_q, None, is_causal)


def of_2_11(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None, window_size=(-1, -1)):
    return by_torch(query, key, value, cu_seq_q, scale, window_size == (-1, 0))


def of_2_12(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, scale=None, window_size=(-1, -1), enable_gqa=False):
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    return by_torch(query, key, value, cu_seq_q, scale, window_size == (-1, 0))


def by_torch(query, key, value, ends, scale, causal):
    """What torch's kernel gives: heads of one number, [N, H, d] in and out."""
    assert query.shape == key.shape == value.shape
    assert causal
    parts = [slice(start, end) for start, end in pairwise(ends.tolist())]
    attended = torch.nn.functional.scaled_dot_product_attention
    heads = [[x[part].transpose(0, 1) for x in (query, key, value)] for part in parts]
    return torch.cat([attended(*own, is_causal=True, scale=scale).transpose(0, 1) for own in heads])


@pytest.mark.parametrize("torchs_own", [of_2_10, of_2_11, of_2_12])
@pytest.mark.parametrize("kv_heads", [HEADS, KV_HEADS])
@pytest.mark.parametrize("scaling", [None, 0.1])
def test_the_varlen_attention_of_any_torch_is_called_as_it_wants(monkeypatch, torchs_own, kv_heads, scaling):
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", torchs_own)
    torch.manual_seed(4)
    query, key, value = (torch.randn(1, heads, 25, WIDTH) for heads in (HEADS, kv_heads, kv_heads))
    documents = documents_of(np.array([0, 3, 4, 25]))
    found, expected = (
        attend(None, query, key, value, None, documents=documents, scaling=scaling, way=way)[0]
        for way in ("varlen_attn", "grouped_sdpa")
    )
    torch.testing.assert_close(found, expected)


def test_a_repeated_end_is_no_document():
    documents = documents_of(np.array([0, 3, 8, 8, 8], np.int32))
    assert documents.ends.tolist() == [0, 3, 8]
    assert documents.cu_seqlens.dtype == torch.int32
    assert documents.max_seqlen == 5


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"sliding_window": 4}, "sliding_window: 4 is shorter than a document of 5 tokens"),
        ({"softcap": 50.0}, "softcap"),
        ({"s_aux": torch.zeros(2)}, "s_aux"),
        ({"is_causal": False}, "is_causal"),
    ],
    ids=str,
)
def test_attention_of_another_kind_is_refused_rather_than_left_out(asked, told):
    query = torch.zeros(1, 2, 5, 8)
    with pytest.raises(ValueError, match=told):
        attend(None, query, query, query, None, documents=documents_of(np.array([0, 5])), **asked)


def test_a_window_that_no_document_reaches_changes_nothing():
    query = torch.randn(1, 2, 5, 8)
    documents = documents_of(np.array([0, 5]))
    plain, _ = attend(None, query, query, query, None, documents=documents)
    windowed, _ = attend(None, query, query, query, None, documents=documents, sliding_window=5)
    assert torch.equal(plain, windowed)
