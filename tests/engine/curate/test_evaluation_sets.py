"""Evaluation sets are read whole or not at all."""

from pathlib import Path

import orjson
import pytest

from reasonmill.engine.curate.evaluation import load_evaluation
from reasonmill.engine.curate.settings import AgainstSettings


def write(path: Path, *rows: object) -> AgainstSettings:
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else orjson.dumps(row) for row in rows))
    return AgainstSettings(path=str(path))


def test_the_usual_keys_of_evaluation_sets_are_understood(tmp_path: Path) -> None:
    against = write(
        tmp_path / "exam.jsonl",
        {"prompt": "p?"},
        {"id": 7, "question": "q?"},
        {"unique_id": "u/1", "problem": "r?"},
        {"text": "s?"},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "t?"}]},
    )
    items = load_evaluation([against])
    assert [item.text for item in items] == ["p?", "q?", "r?", "s?", "t?"]
    assert [item.id for item in items] == ["exam:1", "7", "u/1", "exam:4", "exam:5"]
    assert {item.set_name for item in items} == {"exam"}
    assert items[0].rules == ("containment", "ngram", "embedding")


def test_a_set_takes_the_name_and_rules_that_it_is_given(tmp_path: Path) -> None:
    write(tmp_path / "e.jsonl", {"prompt": "p?"})
    settings = AgainstSettings(path=str(tmp_path / "e.jsonl"), name="held-back", rules=("containment",))
    (item,) = load_evaluation([settings])
    assert item.set_name == "held-back"
    assert item.rules == ("containment",)


def test_sets_of_one_file_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    sets = []
    for name in ("gsm8k", "math"):
        (tmp_path / name).mkdir()
        sets.append(write(tmp_path / name / "test.jsonl", {"problem": f"What is {name}?"}))
    items = load_evaluation([*sets, AgainstSettings(path=sets[0].path, name="mine")])
    assert [(item.set_name, item.id) for item in items] == [
        ("gsm8k/test", "gsm8k/test:1"),
        ("math/test", "math/test:1"),
        ("mine", "mine:1"),
    ]


@pytest.mark.parametrize("row", [b"{broken", {"answer": 4}, {"question": 5}])
def test_a_row_that_is_no_question_is_an_error_with_its_place(tmp_path: Path, row: object) -> None:
    against = write(tmp_path / "exam.jsonl", {"prompt": "p?"}, row)
    with pytest.raises(ValueError, match=r"exam\.jsonl:2"):
        load_evaluation([against])


def test_a_blank_question_gives_way_to_one_with_words(tmp_path: Path) -> None:
    (item,) = load_evaluation([write(tmp_path / "exam.jsonl", {"prompt": "", "text": " ", "problem": "r?"})])
    assert item.text == "r?"


@pytest.mark.parametrize("row", [{"question": ""}, {"problem": " \n", "prompt": ""}, {"messages": []}])
def test_an_item_that_nothing_could_be_like_is_an_error_with_its_place(tmp_path: Path, row: object) -> None:
    against = write(tmp_path / "exam.jsonl", {"prompt": "p?"}, row)
    with pytest.raises(ValueError, match=r"exam\.jsonl:2"):
        load_evaluation([against])


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_set_without_a_row_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    against = write(tmp_path / "exam.jsonl", content)
    with pytest.raises(ValueError, match=r"exam\.jsonl' has no row"):
        load_evaluation([against])
