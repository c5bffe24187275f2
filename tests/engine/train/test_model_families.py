"""Any causal model of transformers with its attention interface learns from packed rows as from documents alone."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForCausalLM

from reasonmill.engine.train.loss import IGNORED, StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.kernels.attention import documents_of

pytestmark = pytest.mark.filterwarnings("ignore")

COLUMNS = 61
SIZES = {
    "vocab_size": COLUMNS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
# models whose parts have other names, scaled embeddings, biased heads, experts
FAMILIES = {
    "llama": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64},
    "gpt_neox": {},
    "gemma": {"head_dim": 8},
    "phi": {},
    "qwen3_moe": {"head_dim": 8, "num_experts": 4, "moe_intermediate_size": 16, "num_experts_per_tok": 2},
}
ENDS = np.array([0, 7, 8, 20, 30])


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_loss_and_gradients_equal_those_of_the_documents_alone(tmp_path, family):
    torch.manual_seed(3)
    config = AutoConfig.for_model(family, **SIZES, **FAMILIES[family])
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout"):
        if hasattr(config, name):
            setattr(config, name, 0.0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    packed, alone = (build_model(str(tmp_path), vocab_size=COLUMNS, seed=0, dtype=torch.float32) for _ in range(2))
    alone.set_attn_implementation("sdpa")
    ids = torch.randint(0, COLUMNS, (int(ENDS[-1]),))
    lengths = np.diff(ENDS)
    positions = torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))
    labels = torch.roll(ids, -1)
    labels[ENDS[1:] - 1] = IGNORED
    loss = StudentLoss(packed, plain_bytes=0)(ids[None], positions[None], labels[None], documents_of(ENDS))
    loss.backward()
    expected = sum(
        cross_entropy(alone(input_ids=ids[None, a:b], use_cache=False).logits[0, :-1], ids[a + 1 : b], reduction="sum")
        for a, b in itertools.pairwise(ENDS)
        if b - a > 1
    )
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    mine, theirs = (
        torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]) for model in (packed, alone)
    )
    assert (mine - theirs).norm() / theirs.norm() < 1e-5
