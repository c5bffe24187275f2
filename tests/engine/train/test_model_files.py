"""Model folders that a training cannot begin with, and what is said of them before anything starts."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from reasonmill.engine.train import export
from reasonmill.engine.train.files import foretell
from reasonmill.engine.train.model import build_model
from reasonmill.engine.train.model_files import check_model_files
from reasonmill.engine.train.settings import ModelShape, TrainSettings
from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.dataset import PackedWriter
from reasonmill.packing.settings import PackSettings

pytestmark = pytest.mark.filterwarnings("ignore")

SHAPE = ModelShape(
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    intermediate_size=24,
    vocab_size=300,
    max_position_embeddings=24,
)
UP = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A student in one file and in several, with its tokenizer."""
    root = tmp_path_factory.mktemp("models")
    tokenizer = write_byte_tokenizer(root / "tokenizer")
    model = build_model(SHAPE, vocab_size=300, seed=1, dtype=torch.float32)
    for name, largest in (("one", 10**9), ("several", 5_000)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "_MAX_FILE_BYTES", largest)
            weights = model.state_dict()
            export.write_model_folder(root / name, model=model, weights=weights, tokenizer=tokenizer, end_token_id=7)
    return root


def edited(folder, **keys):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def without(folder, name):
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


SPOILT = {
    "no configuration": ("one", lambda f: (f / "config.json").unlink(), "has no config.json"),
    "half a configuration": ("one", lambda f: cut(f / "config.json"), "config.json' cannot be read"),
    "no weights": ("one", lambda f: (f / "model.safetensors").unlink(), "holds no weights: neither model.safetensors"),
    "cut weights": ("one", lambda f: cut(f / "model.safetensors"), "model.safetensors' has .* bytes, its tensors need"),
    "no safetensors": ("one", lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 99), "its header is cut"),
    "empty weights": ("one", lambda f: (f / "model.safetensors").write_bytes(b""), "is damaged"),
    "a shard is missing": ("several", lambda f: sorted(f.glob("*.safetensors"))[1].unlink(), "00002-of-.* is missing"),
    "a shard is cut": ("several", lambda f: cut(sorted(f.glob("*.safetensors"))[1]), "00002-of-.*its tensors need"),
    "a shard is another": (
        "several",
        lambda f: shutil.copy(*sorted(f.glob("*.safetensors"))[:2]),
        "00002-of-.* holds no '.*', which model.safetensors.index.json names",
    ),
    "fewer tokens than the tokenizer": ("one", lambda f: edited(f, vocab_size=200), "vocab_size: 200 of model"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_files_that_are_not_whole_are_named_without_being_loaded(folders, tmp_path, case):
    source, spoil, told = SPOILT[case]
    folder = shutil.copytree(folders / source, tmp_path / "model")
    check_model_files(folder, vocab_size=261)
    spoil(folder)
    with pytest.raises(ValueError, match=told):
        check_model_files(folder, vocab_size=261)
    with pytest.raises(ValueError, match=told):
        build_model(str(folder), vocab_size=261, seed=0, dtype=torch.float32)


def test_weights_that_transformers_would_draw_at_random_are_refused(folders, tmp_path):
    lacking = shutil.copytree(folders / "one", tmp_path / "lacking")
    without(lacking, UP)
    with pytest.raises(ValueError, match=rf"holds no weights for '{UP}' \(1 are missing\)"):
        build_model(str(lacking), vocab_size=261, seed=0, dtype=torch.float32)
    other = shutil.copytree(folders / "one", tmp_path / "other")
    edited(other, intermediate_size=32)
    with pytest.raises(ValueError, match=r"has one shape in the weights, another by config\.json: \(.*24.*32.*\)"):
        build_model(str(other), vocab_size=261, seed=0, dtype=torch.float32)


def test_a_training_is_refused_for_its_model_and_warned_of_long_samples_before_ranks_start(folders, tmp_path):
    encoder, writer = ChatEncoder(folders / "tokenizer"), PackedWriter(tmp_path / "packed", max_length=99)
    for number in range(3):
        encoded = encoder.encode([("user", "?"), ("assistant", "a long answer" * (1 + number))])
        writer.append(encoded.input_ids, encoded.target, document=f"d{number}")
    writer.publish(writer.finish())
    pack = PackSettings(tokenizer=str(folders / "tokenizer"))
    settings = TrainSettings(model=str(folders / "one"))
    lines = foretell(str(tmp_path / "packed"), settings, pack)
    longest = len(encoded.input_ids)
    told = f"warning: the longest sample has {longest} tokens, max_position_embeddings of the student is 24"
    assert told in lines
    assert told in foretell(str(tmp_path / "packed"), TrainSettings(model=SHAPE), pack)
    spoilt = shutil.copytree(folders / "several", tmp_path / "spoilt")
    min(spoilt.glob("*.safetensors")).unlink()
    with pytest.raises(ValueError, match=r"00001-of-.* is missing"):
        foretell(str(tmp_path / "packed"), TrainSettings(model=str(spoilt)), pack)
