import copy
from importlib.util import find_spec

import pytest
import torch

from reasonmill.engine.train.batches import micro_batch
from reasonmill.engine.train.layer_kernels import apply_layer_kernels
from reasonmill.engine.train.loss import StudentLoss
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.settings import ModelShape

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    intermediate_size=24,
    vocab_size=31,
)


class OneRow:
    def rows(self, indices):
        from types import SimpleNamespace

        import numpy as np

        ids = np.arange(20) % 31
        return SimpleNamespace(
            input_ids=ids, position_ids=ids % 10, labels=(ids + 1) % 31, cu_seqlens=np.array([0, 10, 20], np.int32)
        )


def test_own_kernels_replace_every_norm_and_gate_and_change_no_loss_or_gradient():
    model = build_model(SHAPE, vocab_size=31, seed=1, dtype=torch.float32)
    other = copy.deepcopy(model)
    # two norms a layer, those of queries and keys, the last one; a gate a layer
    assert apply_layer_kernels(other, "reasonmill") == 2 * (2 + 2 + 1) + 1
    assert apply_layer_kernels(model, "transformers") == 0
    batch = micro_batch(OneRow(), [0])
    losses = [StudentLoss(one)(*batch.inputs) for one in (model, other)]
    for loss in losses:
        loss.backward()
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU Liger runs")
def test_liger_without_a_gpu_is_refused():
    model = build_model(SHAPE, vocab_size=31, seed=1, dtype=torch.float32)
    with pytest.raises(ValueError, match="layer_kernels: 'liger'"):
        apply_layer_kernels(model, "liger")


@pytest.mark.skipif(find_spec("liger_kernel") is None, reason="liger-kernel is not installed")
def test_liger_takes_every_norm_and_gate_and_the_rotation_and_leaves_the_loss_to_us(monkeypatch):
    from transformers.models.qwen3 import modeling_qwen3

    model = build_model(SHAPE, vocab_size=31, seed=1, dtype=torch.float32)
    for name in ("apply_rotary_pos_emb", "Qwen3RMSNorm", "Qwen3MLP"):  # which Liger replaces for the whole process
        monkeypatch.setattr(modeling_qwen3, name, getattr(modeling_qwen3, name))
    own_forward = model.forward.__func__
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert apply_layer_kernels(model, "liger") == 2 * (2 + 2 + 1) + 1
    layer = model.model.layers[1]
    patched = (model.model.norm, layer.input_layernorm, layer.self_attn.q_norm, layer.self_attn.k_norm, layer.mlp)
    assert all(module.forward.__func__.__module__.startswith("liger_kernel.") for module in patched)
    assert modeling_qwen3.apply_rotary_pos_emb.__module__.startswith("liger_kernel.")
    assert model.forward.__func__ is own_forward
    model.config.model_type = "nonesuch"
    with pytest.raises(ValueError, match="Liger knows no model of type 'nonesuch'"):
        apply_layer_kernels(model, "liger")
