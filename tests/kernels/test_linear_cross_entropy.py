"""The head's loss a chunk at a time: values and gradients of the whole, memory of a part."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.checkpoint import checkpoint

from reasonmill.kernels.linear_cross_entropy import (
    IGNORED,
    linear_cross_entropy,
    linear_cross_entropy_reference,
    rows_per_chunk,
)

torch.set_num_threads(1)  # two threads on two busy cores wait for each other

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 2e-2}


def inputs(num_tokens=41, width=16, columns=97, dtype=torch.float32, share=0.6):
    generator = torch.Generator().manual_seed(num_tokens)
    hidden, head, bias = (
        torch.randn(shape, generator=generator).to(dtype)
        for shape in ((num_tokens, width), (columns, width), (columns,))
    )
    labels = torch.randint(0, columns, (num_tokens,), generator=generator)
    labels[torch.rand(num_tokens, generator=generator) > share] = IGNORED
    return hidden, head, bias, labels, torch.rand(num_tokens, generator=generator)


def results(function, tensors, upstream, dtype, **options):
    own = [x.to(dtype).detach().clone().requires_grad_() for x in tensors]
    loss = function(own[0], own[1], bias_V=own[2] if len(own) > 2 else None, **options)
    loss.backward(upstream.to(loss.dtype))
    return [loss.detach(), *(x.grad for x in own)]


def error(found, expected):
    return float((found.double() - expected.double()).norm() / expected.double().norm().clamp(min=1e-12))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("logits_bytes", [None, 1, 4000])
def test_loss_and_gradients_equal_those_of_all_logits(dtype, reduction, logits_bytes):
    hidden, head, bias, labels, weights = inputs(dtype=dtype)
    upstream = torch.rand(len(hidden)) if reduction == "none" else torch.tensor(2.5)
    for softcap, smoothing, biased, weighted in itertools.product((0.0, 3.0), (0.0, 0.2), (False, True), (False, True)):
        tensors = [hidden, head, bias][: 2 + biased]
        options = {"labels_T": labels, "reduction": reduction, "softcap": softcap, "label_smoothing": smoothing}
        options["weights_T"] = weights if weighted else None
        found = results(linear_cross_entropy, tensors, upstream, dtype, logits_bytes=logits_bytes, **options)
        expected = results(linear_cross_entropy_reference, tensors, upstream, torch.float64, **options)
        for mine, theirs in zip(found, expected, strict=True):
            assert error(mine, theirs) < TOLERANCE[dtype]
        assert [x.dtype for x in found[1:]] == [dtype] * len(tensors)


@pytest.mark.parametrize("reduction", ["sum", "none"])
@pytest.mark.parametrize("num_tokens", [0, 5])
def test_without_targets_the_loss_is_zero_and_every_gradient_is_there(reduction, num_tokens):
    hidden, head, bias, _, _ = inputs()
    labels = torch.full((num_tokens,), IGNORED)
    found = results(
        linear_cross_entropy,
        [hidden[:num_tokens], head, bias],
        torch.ones(num_tokens) if reduction == "none" else torch.tensor(1.0),
        torch.float32,
        labels_T=labels,
        reduction=reduction,
    )
    assert all(bool((x == 0).all()) for x in found)
    assert found[2].shape == head.shape


def test_rows_that_are_no_target_do_not_change_a_bit_of_the_rest():
    hidden, head, _, labels, _ = inputs()
    chosen = labels != IGNORED
    upstream = torch.tensor(1.0)
    loss, grad, head_grad = results(linear_cross_entropy, [hidden, head], upstream, torch.float32, labels_T=labels)
    few_loss, few, few_head = results(
        linear_cross_entropy, [hidden[chosen], head], upstream, torch.float32, labels_T=labels[chosen]
    )
    assert torch.equal(loss, few_loss)
    assert torch.equal(grad[chosen], few)
    assert torch.equal(head_grad, few_head)
    assert (grad[~chosen] == 0).all()


def test_the_number_of_targets_may_be_told():
    hidden, head, _, labels, _ = inputs()
    told = linear_cross_entropy(hidden, head, labels, num_targets=int((labels != IGNORED).sum()))
    assert torch.equal(told, linear_cross_entropy(hidden, head, labels))
    with pytest.raises(ValueError, match="num_targets: 3, but"):
        linear_cross_entropy(hidden, head, labels, num_targets=3)


def test_a_second_backward_gives_the_same_again_or_says_that_it_cannot():
    hidden, head, _, labels, _ = inputs()
    hidden.requires_grad_()
    losses = linear_cross_entropy(hidden, head, labels, reduction="none")
    first = torch.autograd.grad(losses.sum() * 2, hidden, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(losses.sum() * 2, hidden)[0])
    loss = linear_cross_entropy(hidden, head, labels)
    once = torch.autograd.grad(loss * 2, hidden, retain_graph=True)[0]
    assert error(once, first) < 1e-6
    with pytest.raises(RuntimeError, match="gives its gradients once"):
        torch.autograd.grad(loss * 2, hidden)


def test_only_the_gradients_that_are_wanted_are_made():
    hidden, head, _, labels, _ = inputs()
    for frozen in (0, 1):
        tensors = [hidden.clone().requires_grad_(frozen != 0), head.clone().requires_grad_(frozen != 1)]
        linear_cross_entropy(*tensors, labels).backward()
        assert (tensors[0].grad is None) == (frozen == 0)
        assert (tensors[1].grad is None) == (frozen == 1)
    with torch.no_grad():
        assert not linear_cross_entropy(hidden.requires_grad_(), head, labels).requires_grad


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_loss_and_a_tied_head_give_the_same_gradient(reentrant):
    _, head, _, labels, _ = inputs()
    ids = torch.randint(0, len(head), labels.shape, generator=torch.Generator().manual_seed(1))
    gradients = []
    for wrapped in (False, True):
        weight = head.clone().requires_grad_()
        hidden = torch.nn.functional.embedding(ids, weight)
        loss = (
            checkpoint(linear_cross_entropy, hidden, weight, labels, use_reentrant=reentrant)
            if wrapped
            else linear_cross_entropy_reference(hidden, weight, labels)
        )
        loss.backward()
        gradients.append(weight.grad)
    assert error(*gradients) < 2e-6


def test_a_label_that_is_no_column_makes_the_loss_not_a_number():
    hidden, head, _, labels, _ = inputs()
    for wrong in (97, -1):
        spoilt = labels.clone()
        spoilt[3] = wrong
        assert linear_cross_entropy(hidden, head, spoilt).isnan()


def test_a_token_s_loss_and_gradient_do_not_depend_on_what_else_was_lost():
    hidden, head, _, labels, _ = inputs(share=1.0)
    hidden.requires_grad_()
    losses = linear_cross_entropy(hidden, head, labels, reduction="none", logits_bytes=4000)
    (gradient,) = torch.autograd.grad(losses[7], hidden)
    assert (gradient[torch.arange(41) != 7] == 0).all()
    assert losses[7].item() == pytest.approx(linear_cross_entropy(hidden[7:8], head, labels[7:8]).item(), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"labels_T": torch.zeros(3, dtype=torch.int64)}, r"labels: shape \(3,\), expected \(41,\)"),
        ({"labels_T": torch.zeros(41)}, "holds no indices"),
        ({"head_VH": torch.zeros(97, 15)}, r"expected \[T, H\] and \[V, H\]"),
        ({"head_VH": torch.zeros(97, 16, dtype=torch.bfloat16)}, "of one type"),
        ({"weights_T": torch.zeros(2)}, "weights: shape"),
        ({"bias_V": torch.zeros(2)}, "bias: shape"),
        ({"reduction": "mean"}, "'mean' is neither"),
        ({"softcap": -1.0}, "softcap: -1.0"),
        ({"label_smoothing": 1.0}, "label_smoothing: 1.0"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_by_name(change, told):
    hidden, head, _, labels, _ = inputs()
    with pytest.raises(ValueError, match=told):
        linear_cross_entropy(**{"hidden_TH": hidden, "head_VH": head, "labels_T": labels} | change)


@given(
    num_rows=st.integers(0, 10**6),
    num_columns=st.integers(1, 300000),
    itemsize=st.sampled_from([2, 4, 8]),
    logits_bytes=st.integers(1, 2**31),
)
@settings(max_examples=200, deadline=None)
def test_a_chunk_keeps_the_budget_and_no_small_one_is_left_over(num_rows, num_columns, itemsize, logits_bytes):
    size = rows_per_chunk(num_rows, num_columns, itemsize, logits_bytes)
    most = max(1, logits_bytes // (num_columns * itemsize))
    assert 1 <= size <= most
    assert -(-num_rows // size) == -(-num_rows // most), "as few chunks as the budget allows"


def test_the_matrix_of_logits_is_never_there():
    """What autograd keeps, and what is alive at once, is bounded by the budget and the gradients."""
    tokens, width, columns = 512, 8, 4096
    hidden, head = torch.randn(tokens, width, requires_grad=True), torch.randn(columns, width, requires_grad=True)
    labels = torch.randint(0, columns, (tokens,))
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            out = function(*args, **(kwargs or {}))
            for one in out if isinstance(out, tuple | list) else (out,):
                if isinstance(one, torch.Tensor):
                    largest = max(largest, one.numel())
            return out

    with Watch():
        linear_cross_entropy(hidden, head, labels, logits_bytes=64 * columns * 4).backward()
    assert largest <= 64 * columns
