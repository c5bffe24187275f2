import pytest

from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.documents import pack_documents
from reasonmill.packing.settings import PackSettings

SETTINGS = PackSettings(max_length=128, window_documents=16)


def conversations(count: int):
    for number in range(count):
        yield f"q{number}", [("user", f"{number}+1?"), ("assistant", "x" * (number % 60) + str(number + 1))]


def test_conversations_become_a_finished_set_and_long_ones_are_named(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    documents = [*conversations(100), ("too long", [("user", "?"), ("assistant", "y" * 200)])]
    counts = pack_documents(documents, tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)
    reader = PackedReader(tmp_path / "packed")
    assert counts.too_long == ("too long",)
    assert (counts.num_documents, counts.num_rows) == (reader.num_documents, reader.num_rows) == (100, reader.num_rows)
    assert reader.finished
    assert counts.fill == reader.fill > 0.85


def test_a_folder_that_holds_a_set_is_not_written_over(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    pack_documents(conversations(3), tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)
    with pytest.raises(ValueError, match=r"published\.json' shows 3"):
        pack_documents(conversations(3), tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)


def test_the_document_that_cannot_be_encoded_is_named(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    with pytest.raises(ValueError, match="document 'bad': the conversation ends with a turn of 'user'"):
        pack_documents([("bad", [("user", "?")])], tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)


@pytest.mark.parametrize(
    ("field", "value"), [("max_length", 0), ("max_length", 2**31), ("window_documents", 0), ("min_fill", 0.0)]
)
def test_a_senseless_pack_setting_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field}: {value}"):
        PackSettings(**{field: value})
