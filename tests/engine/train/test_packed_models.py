"""Qwen2- and Qwen3-shaped models learn from packed rows exactly what they learn from the documents alone."""

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from reasonmill.engine.train.loss import IGNORED, StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.kernels.attention import documents_of
from reasonmill.kernels.pack_rows import PackedBatch, pack_rows, place

pytestmark = pytest.mark.filterwarnings("ignore")

torch.set_num_threads(1)  # two threads on two busy cores wait for each other

VOCABULARY = 101
FAMILIES = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM)}
# documents of one token, some of like length, and a row that they fill to the last slot; another that has padding
LENGTHS, SLOTS = (1, 17, 18, 2, 40, 1, 5), {"full": 84, "padded": 97}


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param)
    config_of, model_of = FAMILIES[request.param]
    torch.manual_seed(11)
    config = config_of(
        vocab_size=VOCABULARY,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
        tie_word_embeddings=request.param == "qwen3",
    )
    model_of(config).save_pretrained(path)
    return str(path)


def student(folder, dtype, *, fused):
    return StudentLoss(build_model(folder, vocab_size=VOCABULARY, seed=0, dtype=dtype), fused=fused, plain_bytes=0)


def store():
    """Tokens, mask (every other token a target, first tokens too: they must not count) and its bits."""
    rng = np.random.default_rng(2)
    tokens = rng.integers(0, VOCABULARY, sum(LENGTHS)).astype(np.uint32)
    masks = [np.arange(length) % 2 == 0 for length in LENGTHS]
    bits = np.concatenate([np.packbits(mask, bitorder="little") for mask in masks])
    return tokens, masks, bits


def packed(num_slots) -> PackedBatch:
    tokens, _, bits = store()
    return pack_rows(tokens, bits, place(LENGTHS, num_slots=num_slots, max_documents=9))


def run(loss_of, batch: PackedBatch, input_ids=None):
    documents = documents_of(batch.cu_seqlens.numpy())
    ids = batch.input_ids if input_ids is None else input_ids
    return loss_of(ids[None], batch.position_ids[None], batch.labels[None], documents)


def alone(loss_of, dtype):
    """Summed loss of the documents one by one, by transformers' own attention and torch's own cross entropy."""
    loss_of.model.set_attn_implementation("sdpa")
    tokens, masks, _ = store()
    total, start = torch.zeros((), dtype=torch.float32), 0
    for length, mask in zip(LENGTHS, masks, strict=True):
        ids = torch.from_numpy(tokens[start : start + length].astype(np.int64))[None]
        wanted = torch.from_numpy(mask[1:])
        if wanted.any():
            logits = loss_of.model(input_ids=ids, use_cache=False).logits[0, :-1].float()
            total = total + torch.nn.functional.cross_entropy(logits[wanted], ids[0, 1:][wanted], reduction="sum")
        start += length
    return total


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "all logits"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)], ids=str)
@pytest.mark.parametrize("num_slots", SLOTS.values(), ids=SLOTS)
def test_packed_loss_and_gradients_equal_those_alone(folder, fused, dtype, tolerance, num_slots):
    together, apart = student(folder, dtype, fused=fused), student(folder, dtype, fused=fused)
    found, expected = run(together, packed(num_slots)), alone(apart, dtype)
    assert found.item() == pytest.approx(expected.item(), rel=tolerance)
    found.backward()
    expected.backward()
    mine, theirs = (
        torch.cat([p.grad.double().flatten() for p in model.parameters() if p.grad is not None])
        for model in (together, apart)
    )
    assert (mine - theirs).norm() / theirs.norm() < tolerance


def test_a_changed_token_leaves_all_other_documents_logits_bit_identical(folder):
    model = student(folder, torch.float32, fused=True).model.eval()
    batch = packed(SLOTS["padded"])
    changed_document = 4
    first = sum(LENGTHS[:changed_document])
    ids = batch.input_ids.clone()
    ids[first] = (ids[first] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = (
            model(
                input_ids=one[None],
                position_ids=batch.position_ids[None],
                documents=documents_of(batch.cu_seqlens.numpy()),
                use_cache=False,
            ).logits[0]
            for one in (batch.input_ids, ids)
        )
    own = batch.document_ids == changed_document
    assert torch.equal(before[~own], after[~own])
    assert not torch.equal(before[own], after[own])


def test_a_document_s_loss_has_no_gradient_in_another_s_embeddings(folder):
    model = student(folder, torch.float32, fused=True).model
    batch = packed(SLOTS["padded"])
    embedded = model.model.embed_tokens(batch.input_ids)[None].detach().requires_grad_()
    hidden = model.model(
        inputs_embeds=embedded,
        position_ids=batch.position_ids[None],
        documents=documents_of(batch.cu_seqlens.numpy()),
        use_cache=False,
    ).last_hidden_state[0]
    own = batch.document_ids == 2
    hidden[own].square().sum().backward()
    assert embedded.grad[0][own].abs().sum() > 0
    assert torch.equal(embedded.grad[0][~own], torch.zeros_like(embedded.grad[0][~own]))


def test_first_tokens_and_padding_are_never_targets():
    _, masks, _ = store()
    batch = packed(SLOTS["padded"])
    assert int((batch.labels != IGNORED).sum()) == sum(int(mask[1:].sum()) for mask in masks)
    ends = batch.cu_seqlens[1 : len(LENGTHS) + 1].long()
    assert (batch.labels[ends - 1] == IGNORED).all()
    assert (batch.labels[ends[-1] :] == IGNORED).all()


def test_a_model_that_scales_or_caps_its_logits_is_scaled_and_capped_in_the_loss(folder):
    model = student(folder, torch.float32, fused=True)
    model.model.config.logit_scale = 0.5
    model.model.config.final_logit_softcapping = 3.0
    batch = packed(SLOTS["full"])
    fused, plain = StudentLoss(model.model, plain_bytes=0), StudentLoss(model.model, fused=False)
    logits = model.model(
        input_ids=batch.input_ids[None],
        position_ids=batch.position_ids[None],
        documents=documents_of(batch.cu_seqlens.numpy()),
        use_cache=False,
    ).logits[0]
    expected = torch.nn.functional.cross_entropy(3.0 * torch.tanh(0.5 * logits / 3.0), batch.labels, reduction="sum")
    assert run(fused, batch).item() == pytest.approx(expected.item(), rel=1e-6)
    assert run(plain, batch).item() == pytest.approx(expected.item(), rel=1e-6)
