"""Norm, gate, rotation and best match through Triton against their twins, forward and backward."""

import pytest
import torch

from reasonmill.kernels.gpu.top1 import top1 as top1_kernel
from reasonmill.kernels.rms_norm import rms_norm
from reasonmill.kernels.rope import rope, rope_tables
from reasonmill.kernels.swiglu import swiglu
from reasonmill.kernels.top1 import top1, top1_reference

TOLERANCE = {torch.float32: 3e-6, torch.bfloat16: 1.5e-2, torch.float16: 2e-3}
types = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


def close(found, expected, dtype):
    assert found.dtype == expected.dtype
    scale = float(expected.abs().max()) or 1.0
    torch.testing.assert_close(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale)


def both_ways(function, inputs, upstream):
    """Outputs and gradients of `function(*inputs, triton=...)`, through Triton and through the twin."""
    for triton in (True, False):
        own = [x.detach().clone().requires_grad_() for x in inputs]
        outputs = function(*own, triton=triton)
        sum((out * up).sum() for out, up in zip(outputs, upstream, strict=True)).backward()
        yield [*(out.detach() for out in outputs), *(x.grad for x in own)]


@types
@pytest.mark.parametrize("shape", [(1, 1), (5, 33), (7, 64), (3, 1500)], ids=str)
@pytest.mark.parametrize("added", [False, True])
def test_the_norm_equals_its_twin(dtype, shape, added, device):
    torch.manual_seed(1)
    x, residual, g1, g2 = (torch.randn(shape).to(device, dtype) for _ in range(4))
    scale = torch.randn(shape[1]).to(device, dtype)
    if added:
        runs = both_ways(lambda a, r, s, **how: rms_norm(a, s, 1e-6, r, **how), [x, residual, scale], [g1, g2])
    else:
        runs = both_ways(lambda a, s, **how: rms_norm(a, s, 1e-6, **how), [x, scale], [g1, g2])
    for found, expected in zip(*runs, strict=True):
        close(found, expected, dtype)


@types
@pytest.mark.parametrize("shape", [(1, 1), (3, 1401)], ids=str)
def test_the_gate_equals_its_twin(dtype, shape, device):
    torch.manual_seed(2)
    gate, up, upstream = (torch.randn(shape).to(device, dtype) for _ in range(3))
    for found, expected in zip(
        *both_ways(lambda g, u, **how: (swiglu(g, u, **how),), [gate, up], [upstream]), strict=True
    ):
        close(found, expected, dtype)


@types
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(5, 1, 10), (4, 2, 64)])
def test_rotation_by_position_equals_its_twin_also_on_transposed_heads(dtype, heads, kv_heads, head_dim, device):
    torch.manual_seed(3)
    tables = rope_tables(head_dim, 40000, 1e6, device)
    positions = torch.tensor([0, 1, 2, 0, 39999, 7, 0, 3, 1], device=device)
    query = torch.randn(heads, 9, head_dim).to(device, dtype)
    key = torch.randn(kv_heads, 9, head_dim).to(device, dtype)

    def turned(q, k, **how):
        return rope(q.transpose(0, 1), k.transpose(0, 1), positions, *tables, **how)

    upstream = [x.transpose(0, 1).square() for x in (query, key)]
    for found, expected in zip(*both_ways(turned, [query, key], upstream), strict=True):
        close(found, expected, dtype)


@types
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 300, 33), (130, 140, 70)], ids=str)
@pytest.mark.parametrize("splits", [1, 2, 3])
def test_the_best_match_is_the_first_of_equals(dtype, shape, splits, device):
    torch.manual_seed(4)
    num_queries, num_candidates, width = shape
    # small whole numbers: products are exact, and equal scores abound
    queries, candidates = (torch.randint(-2, 3, (n, width)).to(device, dtype) for n in (num_queries, num_candidates))
    scores, indices = top1_kernel(queries, candidates, splits=splits)
    expected_scores, expected_indices = top1_reference(queries, candidates)
    assert torch.equal(scores, expected_scores)
    assert torch.equal(indices, expected_indices)
    assert indices.dtype == torch.int64
    assert len(top1(queries[:0], candidates)[0]) == 0
