import pytest

from reasonmill.packing.byte_tokenizer import write_byte_tokenizer
from reasonmill.packing.dataset import PackedReader
from reasonmill.packing.documents import pack_documents, survey_documents
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
    survey = counts.survey
    assert (survey.num_documents, survey.num_rows) == (reader.num_documents, reader.num_rows) == (100, reader.num_rows)
    assert reader.finished
    assert survey.fill == reader.fill > 0.85
    assert (counts.num_checked, counts.retokenised) == (2, ())


def test_a_folder_that_holds_a_set_is_not_written_over(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    pack_documents(conversations(3), tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)
    with pytest.raises(ValueError, match=r"published\.json' shows 3"):
        pack_documents(conversations(3), tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)


def test_the_document_that_cannot_be_encoded_is_named_and_the_others_are_packed(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    documents = [*conversations(3), ("bad", [("user", "?")]), ("empty", [("user", "?"), ("assistant", " ")])]
    counts = pack_documents(documents, tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)
    assert counts.unencodable == (
        ("bad", "the conversation ends with a turn of 'user', expected 'assistant'"),
        ("empty", "the conversation ends with an empty turn"),
    )
    assert PackedReader(tmp_path / "packed").num_documents == 3


def test_a_survey_of_documents_says_what_packing_them_says(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    documents = [*conversations(300), ("too long", [("user", "?"), ("assistant", "y" * 200)])]
    packed = pack_documents(documents, tmp_path / "packed", tokenizer_dir=tokenizer, settings=SETTINGS)
    assert survey_documents(documents, tokenizer_dir=tokenizer, settings=SETTINGS) == packed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_length", 0),
        ("max_length", 2**31),
        ("window_documents", 0),
        ("min_fill", 0.0),
        ("max_wait_documents", -1),
        ("max_wait_s", -1.0),
    ],
)
def test_a_senseless_pack_setting_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field}: {value}"):
        PackSettings(**{field: value})


def test_without_packing_every_conversation_is_a_row(tmp_path):
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer")
    alone = PackSettings(max_length=128, packing=False)
    counts = pack_documents(conversations(20), tmp_path / "packed", tokenizer_dir=tokenizer, settings=alone)
    reader = PackedReader(tmp_path / "packed")
    assert counts.survey.num_rows == reader.num_rows == 20
    assert [reader.names_of(row) for row in range(20)] == [[f"q{number}"] for number in range(20)]
    assert [reader.lengths_of(row).tolist() for row in range(20)] == [
        [len(reader.row(row).input_ids)] for row in range(20)
    ]
