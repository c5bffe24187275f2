"""What each character counts as."""

import unicodedata

import numpy as np
import pytest

from reasonmill.kernels import _native
from reasonmill.kernels import characters as ch


@pytest.mark.parametrize(
    ("character", "folded", "kind"),
    [
        ("A", "a", ch.WORD),
        ("é", "e", ch.WORD),
        ("Ａ", "a", ch.WORD),
        ("𝒙", "x", ch.WORD),
        ("²", "2", ch.WORD),
        ("٣", "3", ch.WORD),
        ("ς", "σ", ch.WORD),
        ("Ё", "е", ch.WORD),
        ("İ", "i", ch.WORD),
        ("ß", "ß", ch.WORD),
        ("中", "中", ch.SINGLE),
        ("が", "か", ch.SINGLE),
        ("ー", "ー", ch.SINGLE),
        ("豈", "豈", ch.SINGLE),
        ("−", "-", ch.SYMBOL),
        ("≠", "≠", ch.SYMBOL),
        ("×", "×", ch.SYMBOL),
        ("＋", "+", ch.SYMBOL),
        ("\u0301", "\u0301", ch.IGNORED),
        ("\u200b", "\u200b", ch.IGNORED),
        ("\u00ad", "\u00ad", ch.IGNORED),
        ("’", "’", ch.SEPARATOR),
        ("—", "—", ch.SEPARATOR),
        ("_", "_", ch.SEPARATOR),
        ("，", ",", ch.SEPARATOR),
        ("\ue000", "\ue000", ch.SEPARATOR),
        ("\ud800", "\ud800", ch.SEPARATOR),
        ("😀", "😀", ch.SEPARATOR),
    ],
)
def test_a_character_counts_as_its_folded_form(character: str, folded: str, kind: int) -> None:
    assert ch.fold(character) == unicodedata.normalize("NFC", folded)
    assert ch.kind(character) == kind
    assert int(ch.table()[ord(character)]) == kind << ch.KIND_SHIFT | ord(ch.fold(character))


def test_the_table_says_what_the_functions_say() -> None:
    table = ch.table()
    assigned = [code for code in range(0, ch.TABLE_SIZE, 7) if unicodedata.category(chr(code)) != "Cn"]
    expected = [ch.kind(chr(code)) << ch.KIND_SHIFT | ord(ch.fold(chr(code))) for code in assigned]
    assert table[assigned].tolist() == expected


def test_folding_twice_is_folding_once() -> None:
    folded = ch.table() & 0x1F_FFFF
    inside = folded[folded < ch.TABLE_SIZE]
    assert np.array_equal(ch.table()[inside] & 0x1F_FFFF, inside)


def test_the_native_code_expects_a_table_of_this_size() -> None:
    assert len(ch.table()) == ch.TABLE_SIZE == _native.TABLE_SIZE


def test_the_hash_names_the_table() -> None:
    assert len(ch.table_hash()) == 16
    assert ch.table_hash() == ch.table_hash()
