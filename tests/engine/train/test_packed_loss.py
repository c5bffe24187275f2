"""Documents packed together give the loss and the gradients that they give alone, by transformers' own attention."""

import numpy as np
import pytest
import torch

from reasonmill.engine.train.batches import micro_batch
from reasonmill.engine.train.loss import StudentLoss, loss_scale
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.settings import ModelShape
from reasonmill.packing.dataset import PackedReader, PackedWriter

pytestmark = pytest.mark.filterwarnings("ignore")

torch.set_num_threads(1)  # two threads on two busy cores wait for each other

VOCABULARY = 97
# lengths of one and two tokens, one that fills a row, and several whose groups differ
LENGTHS = (1 + 1, 64, 2, 17, 18, 19, 40, 5, 33)


def student(shape: ModelShape | None = None, *, attention: str | None = None, dtype=torch.float32):
    shape = shape or ModelShape(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
    )
    model = build_model(shape, vocab_size=VOCABULARY, seed=3, dtype=dtype)
    if attention:
        model.set_attn_implementation(attention)
    return model


@pytest.fixture
def documents() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    made = []
    for length in LENGTHS:
        target = np.zeros(length, np.bool_)
        target[1 + length // 3 :] = True
        made.append((rng.integers(0, VOCABULARY, length).astype(np.uint32), target))
    return made


@pytest.fixture
def reader(tmp_path, documents) -> PackedReader:
    writer = PackedWriter(tmp_path / "packed", max_length=64, window_documents=4)
    for number, (ids, target) in enumerate(documents):
        writer.append(ids, target, document=f"d{number}")
    writer.publish(writer.finish())
    return PackedReader(tmp_path / "packed")


def packed_loss(model, reader: PackedReader, rows) -> torch.Tensor:
    batch = micro_batch(reader, rows)
    return StudentLoss(model, plain_bytes=0)(batch.input_ids, batch.position_ids, batch.labels, batch.documents)


def loss_alone(model, ids: np.ndarray, target: np.ndarray) -> torch.Tensor:
    tokens = torch.from_numpy(ids.astype(np.int64))[None]
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1]
    wanted = torch.from_numpy(target[1:])
    return torch.nn.functional.cross_entropy(logits[wanted], tokens[0, 1:][wanted], reduction="sum")


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_loss_and_gradients_equal_those_of_the_documents_alone(
    reader, documents, attention, tied, checkpointing
):
    shape = ModelShape(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
        tie_word_embeddings=tied,
    )
    packed, alone = student(shape), student(shape, attention=attention)
    if checkpointing:
        packed.gradient_checkpointing_enable({"use_reentrant": False})
        packed.train()
    loss = packed_loss(packed, reader, range(reader.num_rows))
    loss.backward()
    expected = sum(loss_alone(alone, *document) for document in documents)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    for (name, mine), theirs in zip(packed.named_parameters(), alone.parameters(), strict=True):
        error = (mine.grad - theirs.grad).norm() / theirs.grad.norm()
        assert error < 1e-6, name


def test_bfloat16_packs_like_it_trains_alone(reader, documents):
    packed, alone = student(dtype=torch.bfloat16), student(dtype=torch.bfloat16, attention="sdpa")
    loss = packed_loss(packed, reader, range(reader.num_rows))
    expected = sum(loss_alone(alone, *document).float() for document in documents)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-2)


def test_no_document_sees_another(reader):
    model = student().eval()
    batch = micro_batch(reader, [0, 1])
    first_row = reader.row(0)
    assert len(first_row.documents) > 1 or len(reader.row(1).documents) > 1
    ends = np.concatenate([first_row.cu_seqlens, first_row.cu_seqlens[-1] + reader.row(1).cu_seqlens[1:]])
    changed = batch.input_ids.clone()
    last = ends[-2]
    changed[0, last:] = (changed[0, last:] + 1) % VOCABULARY
    with torch.no_grad():
        before, after = (
            model.model(
                input_ids=ids, position_ids=batch.position_ids, documents=batch.documents, use_cache=False
            ).last_hidden_state[0]
            for ids in (batch.input_ids, changed)
        )
    assert torch.equal(before[:last], after[:last])
    assert not torch.equal(before[last:], after[last:])


def test_parts_of_a_batch_scaled_by_their_share_add_up_to_the_mean_also_when_one_has_no_targets(reader):
    whole, parts = student(), student()
    rows = list(range(reader.num_rows))
    num_targets = sum(reader.row_targets(row) for row in rows)
    (packed_loss(whole, reader, rows) / num_targets).backward()
    # two ranks with two micro-batches each; DeepSpeed divides by ranks and by micro-batches
    for share in (rows[:1], rows[1:3], rows[3:], []):
        scaled = packed_loss(parts, reader, share) * loss_scale(num_targets, 2, 2)
        (scaled / 2 / 2).backward()
    for mine, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-7)


def test_targets_are_counted_as_the_labels_have_them(reader):
    for row in range(reader.num_rows):
        assert reader.row_targets(row) == int((micro_batch(reader, [row]).labels >= 0).sum())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"has no config\.json"),
        ("{}", "names no model_type"),
        ('{"model_type": "qwen3", "architectures": ["Nope"]}', "transformers has no Nope of type 'qwen3'"),
        ('{"model_type": "nope", "architectures": ["Nope"]}', "transformers has no Nope of type 'nope'"),
    ],
)
def test_a_folder_without_a_model_is_named(tmp_path, content, told):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=told):
        build_model(str(tmp_path), vocab_size=10, seed=0, dtype=torch.float32)


def test_a_vocabulary_smaller_than_the_tokenizers_is_refused():
    with pytest.raises(ValueError, match="vocab_size: 10 is less than the 97"):
        student(ModelShape(vocab_size=10))


def test_a_few_logits_are_made_at_once_and_give_the_same_loss(reader, monkeypatch):
    model, batch = student(), micro_batch(reader, range(reader.num_rows))
    in_chunks = StudentLoss(model, plain_bytes=0)(*batch.inputs)
    monkeypatch.setattr("reasonmill.engine.train.loss.linear_cross_entropy", None)
    num_logits = int((batch.labels >= 0).sum()) * VOCABULARY
    at_once = StudentLoss(model, plain_bytes=4 * num_logits)(*batch.inputs)
    assert at_once.item() == pytest.approx(in_chunks.item(), rel=1e-6)
    with pytest.raises(TypeError):
        StudentLoss(model, plain_bytes=4 * num_logits - 1)(*batch.inputs)
