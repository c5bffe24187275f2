"""The head's loss through the Triton kernel against the twin that holds every logit."""

import itertools

import pytest
import torch

from reasonmill.kernels.cross_entropy import cross_entropy_rows as rows_reference
from reasonmill.kernels.gpu.cross_entropy import cross_entropy_rows
from reasonmill.kernels.linear_cross_entropy import (
    IGNORED,
    linear_cross_entropy,
    linear_cross_entropy_reference,
)

# relative error of a gradient whose logits were rounded to the type
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2e-2, torch.float16: 3e-3}
OPTIONS = list(itertools.product((0.0, 4.0), (0.0, 0.2)))


def error(found, expected):
    return float((found.double() - expected.double()).norm() / expected.double().norm().clamp(min=1e-12))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("num_columns", [1, 7, 97, 190])
def test_rows_lose_and_learn_like_their_twin(dtype, num_columns, device):
    generator = torch.Generator().manual_seed(num_columns)
    logits = (torch.randn(3, num_columns, generator=generator) * 4).to(device, dtype)
    labels = torch.randint(0, num_columns, (3,), generator=generator).to(device)
    weights = torch.rand(3, generator=generator).to(device)
    for softcap, smoothing in OPTIONS:
        kernel, twin = logits.clone(), logits.clone()
        options = {"softcap": softcap, "label_smoothing": smoothing, "gradient": True}
        losses, lses = cross_entropy_rows(kernel, labels, weights, block=64, num_warps=4, **options)
        expected, expected_lses = rows_reference(twin, labels, weights, **options)
        torch.testing.assert_close(losses, expected, rtol=1e-5, atol=2e-6)
        torch.testing.assert_close(lses, expected_lses, rtol=1e-5, atol=2e-6)
        torch.testing.assert_close(kernel, twin, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] / 10)
        again = logits.clone()
        cross_entropy_rows(again, labels, weights, block=64, num_warps=4, lse_N=lses, **options)
        assert torch.equal(again, kernel)


def test_a_label_that_is_no_column_is_not_a_number(device):
    logits = torch.zeros(3, 5, device=device)
    labels = torch.tensor([5, -1, 2], device=device)
    losses, _ = cross_entropy_rows(logits, labels, torch.ones(3, device=device), gradient=True)
    assert losses.isnan().tolist() == [True, True, False]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("logits_bytes", [None, 900])
def test_the_loss_and_all_gradients_equal_the_twins(dtype, reduction, logits_bytes, device):
    generator = torch.Generator().manual_seed(3)
    hidden, head, bias = (torch.randn(shape, generator=generator).to(dtype) for shape in ((13, 16), (97, 16), (97,)))
    labels = torch.randint(0, 97, (13,), generator=generator)
    labels[torch.rand(13, generator=generator) < 0.4] = IGNORED
    weights = torch.rand(13, generator=generator)
    upstream = torch.rand(13, generator=generator) if reduction == "none" else torch.tensor(2.5)
    for softcap, smoothing in OPTIONS:
        results = []
        for wide in (False, True):
            inputs = [x.to(device, torch.float64 if wide else dtype).detach() for x in (hidden, head, bias)]
            for x in inputs:
                x.requires_grad_()
            options = {"weights_T": weights.to(device), "reduction": reduction, "softcap": softcap}
            if wide:
                loss = linear_cross_entropy_reference(
                    *inputs[:2], labels.to(device), bias_V=inputs[2], label_smoothing=smoothing, **options
                )
            else:
                loss = linear_cross_entropy(
                    *inputs[:2],
                    labels.to(device),
                    bias_V=inputs[2],
                    label_smoothing=smoothing,
                    logits_bytes=logits_bytes,
                    rows=cross_entropy_rows,
                    **options,
                )
            loss.backward(upstream.to(device, loss.dtype))
            results.append([loss.detach(), *(x.grad for x in inputs)])
        for found, expected in zip(*results, strict=True):
            assert error(found, expected) < TOLERANCE[dtype], (softcap, smoothing)
