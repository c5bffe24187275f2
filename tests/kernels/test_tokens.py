"""The reading rules, and that the native code reads as its twin does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.kernels import native_available, tokens
from reasonmill.kernels.corpus import Corpus

ANY_TEXT = st.text(alphabet=st.characters(codec=None)) | st.text(
    alphabet="ab1203.,,--+*/=<>^%|!![]\\() \n'’—é中が²Ａ１\u0301\u200b\ud800𝒙", max_size=60
)


def folded(text: str) -> list[str]:
    return [token.folded for token in tokens.tokenize(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t  STOP, na\u0131ve na\u00efve nai\u0308ve", ["don", "t", "stop", "naıve", "naive", "naive"]),
        ("It's “quoted”—and dashed", ["it", "s", "quoted", "and", "dashed"]),
        ("中文ab测试", ["中", "文", "ab", "测", "试"]),
        ("1,234.50 costs $1,000, (1, 2) and 100,20", ["1234.50", "costs", "1000", "1", "2", "and", "100", "20"]),
        ("v2.5 and 3.5km", ["v2", "5", "and", "3.5km"]),
        ("x^2 - y = -1", ["x", "^", "2", "-", "y", "=", "-", "1"]),
        ("a well-known two-digit x-1", ["a", "well", "known", "two", "digit", "x", "-", "1"]),
        ("--- **bold** || 5! Stop! [1, 2] \\[x\\]", ["bold", "5", "!", "stop", "[", "1", "2", "]", "x"]),
        ("４＋５＝９", ["4", "+", "5", "=", "9"]),
        ("", []),
        ("?! …", []),
    ],
)
def test_a_text_is_read_by_the_rules(text: str, expected: list[str]) -> None:
    assert folded(text) == expected


@given(ANY_TEXT)
def test_tokens_stand_where_they_say(text: str) -> None:
    found = tokens.tokenize(text)
    ends = [0, *(token.end for token in found)]
    assert all(start <= token.start < token.end for start, token in zip(ends, found, strict=False))


@given(st.lists(ANY_TEXT, max_size=4))
def test_native_fingerprints_are_those_of_the_twin(texts: list[str]) -> None:
    assert native_available
    found = Corpus(texts)
    for row, text in enumerate(texts):
        twin = tokens.fingerprint(text)
        assert tuple(found.keys[row].tolist()) == twin.key
        assert int(found.quantities[row]) == twin.quantities
        assert int(found.num_words[row]) == twin.num_words


def test_format_does_not_change_the_key_and_numbers_and_signs_do() -> None:
    plain = tokens.fingerprint("Ann's naïve friend sold 1,000 apples. How many?")
    same = tokens.fingerprint("ANN’S  nai\u0308ve friend — sold 1000 apples:\n“How many”")
    assert plain == same
    assert tokens.fingerprint("compute 3 + 4").key != tokens.fingerprint("compute 3 - 4").key
    assert tokens.fingerprint("compute 3 + 4").quantities != tokens.fingerprint("compute 3 - 4").quantities
    assert tokens.fingerprint("3 and 4").quantities == tokens.fingerprint("4 and 3").quantities
    assert tokens.fingerprint("3 and 3 and 4").quantities != tokens.fingerprint("3 and 4 and 4").quantities
    assert tokens.fingerprint("use v2").quantities != tokens.fingerprint("use v3").quantities


def test_texts_without_tokens_equal_only_themselves() -> None:
    keys = [tokens.fingerprint(text).key for text in ("", "?", "??", " ", "😀")]
    assert len(set(keys)) == 5


def test_a_text_that_is_no_str_is_refused_by_its_place() -> None:
    with pytest.raises(TypeError, match="text 1 is no str but bytes"):
        Corpus(["fine", b"not"])  # type: ignore[list-item]
