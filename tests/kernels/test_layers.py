"""The twins of the layer kernels give what transformers' own layers give."""

import pytest
import torch
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm, Qwen3RotaryEmbedding, apply_rotary_pos_emb

from reasonmill.kernels.rms_norm import rms_norm
from reasonmill.kernels.rope import rope, rope_tables
from reasonmill.kernels.swiglu import swiglu
from reasonmill.kernels.top1 import top1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_norm_is_transformers_norm_bit_for_bit(dtype):
    torch.manual_seed(0)
    layer = Qwen3RMSNorm(33, eps=1e-5).to(dtype)
    layer.weight.data.normal_()
    x, residual = torch.randn(2, 2, 3, 33).to(dtype)
    assert torch.equal(rms_norm(x, layer.weight, 1e-5)[0], layer(x))
    normed, total = rms_norm(x, layer.weight, 1e-5, residual)
    assert torch.equal(total, x + residual)
    assert torch.equal(normed, layer(total))


def test_rotation_is_transformers_rotation():
    config = Qwen3Config(head_dim=16, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    positions = torch.tensor([0, 1, 2, 0, 1, 9999])
    query, key = torch.randn(1, 4, 6, 16), torch.randn(1, 2, 6, 16)
    cos, sin = Qwen3RotaryEmbedding(config)(query, positions[None])
    expected = apply_rotary_pos_emb(query, key, cos, sin)
    found = rope(query[0].transpose(0, 1), key[0].transpose(0, 1), positions, *rope_tables(16, 10000, 1e6))
    for mine, theirs in zip(found, expected, strict=True):
        # transformers takes its angles in float32: at position 9999 they are off by 4e-4
        torch.testing.assert_close(mine.transpose(0, 1)[None], theirs, rtol=2e-3, atol=2e-3)


def test_the_best_match_is_the_first_of_equals_over_blocks_of_queries():
    queries, candidates = torch.randint(-1, 2, (3000, 4)).float(), torch.randint(-1, 2, (2000, 4)).float()
    scores, indices = top1(queries, candidates)
    everything = queries @ candidates.t()
    assert torch.equal(scores, everything.max(1).values)
    assert torch.equal(indices, (everything == scores[:, None]).int().argmax(1))


def test_inputs_that_do_not_fit_are_refused_by_name():
    x = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="scale"):
        rms_norm(x, torch.zeros(3), 1e-6)
    with pytest.raises(ValueError, match="differ"):
        swiglu(x, torch.zeros(2, 5))
    with pytest.raises(ValueError, match="head_dim: 7"):
        rope_tables(7, 4, 1e4)
    with pytest.raises(ValueError, match="twice as wide"):
        rope(torch.zeros(1, 1, 8), torch.zeros(1, 1, 8), torch.zeros(1), *rope_tables(6, 4, 1e4))
    with pytest.raises(ValueError, match="candidates: 0"):
        top1(x, x[:0])
    with pytest.raises(ValueError, match=r"queries are torch\.float32, candidates torch\.bfloat16"):
        top1(x, x.bfloat16())
    with pytest.raises(ValueError, match=r"expected \[M, D\] and \[N, D\]"):
        top1(x, torch.zeros(2, 3))
