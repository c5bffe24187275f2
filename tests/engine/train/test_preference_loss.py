"""DPO and LD-DPO against the formulas written down directly, response by response, with every logit in memory."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.preference import Preferences
from reasonmill.engine.train.preference_loss import FIGURES, PreferenceLoss, preference_loss
from reasonmill.engine.train.preference_settings import PreferenceSettings
from reasonmill.engine.train.settings import ModelShape
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.pairs import Pair, PairReader, pack_pairs
from reasonmill.packing.settings import PackSettings

pytestmark = pytest.mark.filterwarnings("ignore")
torch.set_num_threads(1)

SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    intermediate_size=32,
    initializer_range=0.3,
)
PAIRS = [
    Pair(
        name=f"p{i}",
        turns=(("user", f"{i}?"),),
        chosen="yes" * (1 + i % 3),
        rejected="no way" * (1 + (i * 7) % 4),
    )
    for i in range(7)
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return write_byte_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def packed(folder, tokenizer, pairs=PAIRS, max_length=300) -> PairReader:
    pack_pairs(pairs, folder, tokenizer_dir=tokenizer, settings=PackSettings(max_length=max_length))
    return PairReader(folder)


def model(seed: int):
    return build_model(SHAPE, vocab_size=261, seed=seed, dtype=torch.float64)


def module(policy, *, fused=True, **chosen) -> PreferenceLoss:
    return PreferenceLoss(policy, PreferenceSettings(beta=0.7, **chosen), fused=fused)


def token_log_probabilities(one, encoded) -> torch.Tensor:
    """Of the response's tokens, given all before them."""
    ids = torch.from_numpy(encoded.input_ids.astype(np.int64))[None]
    from reasonmill.kernels.attention import documents_of

    ends = documents_of(np.array([0, ids.shape[1]]))
    hidden = one.base_model(
        input_ids=ids, position_ids=torch.arange(ids.shape[1])[None], use_cache=False, documents=ends
    ).last_hidden_state[0]
    log_probs = functional.log_softmax(one.lm_head(hidden), dim=-1)[:-1]
    of_next = log_probs.gather(1, ids[0, 1:, None])[:, 0]
    return of_next[torch.from_numpy(encoded.target[1:])]


def direct(policy, reference, encoder, pair, *, beta, alpha) -> torch.Tensor:
    """LD-DPO as arXiv 2505.02142 writes it: equation 2 with the likelihoods of equation 3."""
    sides = [encoder.encode([*pair.turns, ("assistant", text)]) for text in (pair.chosen, pair.rejected)]
    shorter = min(int(side.target.sum()) for side in sides)
    ratios = []
    for side in sides:
        log_policy = token_log_probabilities(policy, side)
        with torch.no_grad():
            log_reference = token_log_probabilities(reference, side)
        difference = log_policy - log_reference
        ratios.append(difference[:shorter].sum() + alpha * difference[shorter:].sum())
    return -torch.log(torch.sigmoid(beta * ratios[0] - beta * ratios[1]))


def reference_of(reader, reference) -> np.ndarray:
    rows = Preferences(reader, module(reference))
    found = np.zeros((reader.num_documents, 2, 2), np.float64)
    with torch.no_grad():
        for index in range(reader.num_rows):
            sums = module(reference)(*rows.batch([index], "cpu").inputs)
            found[list(reader.row(index).documents)] = sums.numpy()
    return found


def loss_and_gradients(reader, policy, known, rows, **chosen):
    policy.zero_grad()
    loss_module = module(policy, **chosen)
    batch = Preferences(reader, loss_module, known).batch(rows, "cpu")
    loss = loss_module(*batch.inputs)
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in policy.parameters()], loss_module.take_figures()


@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("fused", [True, False])
def test_loss_and_gradients_are_those_of_the_formula(tmp_path, tokenizer, alpha, fused):
    reader, encoder = packed(tmp_path / "set", tokenizer), ChatEncoder(tokenizer)
    policy, reference = model(1), model(2)
    known = reference_of(reader, reference)
    rows = range(reader.num_rows)
    assert reader.num_rows > 1
    loss, gradients, figures = loss_and_gradients(reader, policy, known, rows, ld_alpha=alpha, fused=fused)
    policy.zero_grad()
    expected = sum(direct(policy, reference, encoder, pair, beta=0.7, alpha=alpha) for pair in PAIRS)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    for gradient, parameter in zip(gradients, policy.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-8, atol=1e-10)
    assert dict(zip(FIGURES, figures, strict=True))["reward_margin"] != 0.0


@settings(max_examples=60)
@given(
    values=st.lists(st.lists(st.floats(-50, 50), min_size=8, max_size=8), min_size=1, max_size=5),
    beta=st.floats(0.01, 2),
    alpha=st.floats(0, 1),
)
def test_alpha_one_is_dpo_and_without_other_tokens_alpha_is_irrelevant(values, beta, alpha):
    policy, reference = torch.tensor(values, dtype=torch.float64).view(-1, 2, 2, 2).unbind(1)
    whole = policy.sum(-1) - reference.sum(-1)
    dpo = -functional.logsigmoid(beta * (whole[:, 0] - whole[:, 1]))
    loss, rewards = preference_loss(policy, reference, PreferenceSettings(beta=beta, ld_alpha=1.0))
    torch.testing.assert_close(loss, dpo)
    torch.testing.assert_close(rewards, beta * whole)
    for part in (policy, reference):
        part[..., 1] = 0.0  # responses of equal length: every token is common
    some, _ = preference_loss(policy, reference, PreferenceSettings(beta=beta, ld_alpha=alpha))
    all_of_it, _ = preference_loss(policy, reference, PreferenceSettings(beta=beta))
    assert torch.equal(some, all_of_it)


def test_of_equal_lengths_alpha_changes_no_bit_of_loss_and_gradients(tmp_path, tokenizer):
    pairs = [replace(pair, chosen="abc" * (i + 1), rejected="xyz" * (i + 1)) for i, pair in enumerate(PAIRS[:3])]
    reader = packed(tmp_path / "set", tokenizer, pairs, 400)
    policy = model(1)
    known = reference_of(reader, model(2))
    rows = range(reader.num_rows)
    loss, gradients, _ = loss_and_gradients(reader, policy, known, rows, ld_alpha=1.0)
    for alpha in (0.0, 0.3):
        other, others, _ = loss_and_gradients(reader, policy, known, rows, ld_alpha=alpha)
        assert torch.equal(loss, other)
        assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))


def test_packed_pairs_have_the_loss_and_gradients_of_pairs_alone(tmp_path, tokenizer):
    together = packed(tmp_path / "together", tokenizer, max_length=2000)
    assert together.num_rows == 1
    policy, reference = model(1), model(2)
    whole, gradients, figures = loss_and_gradients(together, policy, reference_of(together, reference), [0])
    losses, sums, parts = [], [torch.zeros_like(p) for p in policy.parameters()], []
    for number, pair in enumerate(PAIRS):
        alone = packed(tmp_path / f"alone{number}", tokenizer, [pair])
        loss, own, noted = loss_and_gradients(alone, policy, reference_of(alone, reference), [0])
        losses.append(loss)
        parts.append(noted)
        sums = [a + b for a, b in zip(sums, own, strict=True)]
    assert whole.item() == pytest.approx(sum(losses).item(), rel=1e-12)
    for a, b in zip(gradients, sums, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert figures == pytest.approx(np.sum(parts, axis=0).tolist())


def test_a_student_that_is_the_reference_has_the_loss_of_chance(tmp_path, tokenizer):
    reader, policy = packed(tmp_path / "set", tokenizer), model(1)
    known = reference_of(reader, policy)
    loss, _, figures = loss_and_gradients(reader, policy, known, range(reader.num_rows))
    assert loss.item() / len(PAIRS) == pytest.approx(math.log(2))
    assert figures == [pytest.approx(0.0, abs=1e-9)] * 3 + [figures[3]]


def test_a_rank_without_rows_has_no_loss_and_a_gradient_of_zero_everywhere(tmp_path, tokenizer):
    reader, policy = packed(tmp_path / "set", tokenizer), model(1)
    loss, gradients, figures = loss_and_gradients(reader, policy, np.zeros((7, 2, 2)), [])
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients)
    assert figures == [0.0] * 4


@pytest.mark.parametrize(
    ("field", "value"), [("beta", 0.0), ("beta", float("inf")), ("ld_alpha", -0.1), ("ld_alpha", 1.1)]
)
def test_a_wrong_setting_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field}: "):
        PreferenceSettings(**{field: value})
