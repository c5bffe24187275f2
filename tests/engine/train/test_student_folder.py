import orjson
import pytest
import torch

from reasonmill.engine.train import export
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.settings import ModelShape
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    intermediate_size=24,
    vocab_size=300,
)


@pytest.mark.parametrize("largest", [5_000, 10**9])
def test_a_student_of_several_files_loads_with_its_weights_tokenizer_and_template(tmp_path, monkeypatch, largest):
    monkeypatch.setattr(export, "_MAX_FILE_BYTES", largest)
    model = build_model(SHAPE, vocab_size=300, seed=4, dtype=torch.float32)
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    folder = tmp_path / "student"
    export.write_model_folder(folder, model=model, weights=model.state_dict(), tokenizer=tokenizer, end_token_id=7)
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    assert (files == ["model.safetensors"]) == (largest == 10**9)
    if len(files) > 1:
        assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
        index = orjson.loads((folder / "model.safetensors.index.json").read_bytes())
        assert set(index["weight_map"].values()) == set(files)
    loaded = build_model(str(folder), vocab_size=300, seed=0, dtype=torch.float32)
    for (name, mine), theirs in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert torch.equal(mine, theirs), name
    turns = [("user", "1 + 1"), ("assistant", "2")]
    assert (
        ChatEncoder(folder).encode(turns).input_ids.tolist() == ChatEncoder(tokenizer).encode(turns).input_ids.tolist()
    )
    assert orjson.loads((folder / "generation_config.json").read_bytes())["eos_token_id"][0] == 7
