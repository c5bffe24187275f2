"""What each Unicode character is to the text kernels, and what it is folded to. One table serves the native code and
its twin; `table_hash()` names it, since characters that a later Unicode version assigns may change it.

Folding: compatibility forms to their base (full-width and mathematical letters, superscripts), precomposed letters to
the base letter without diacritics, then simple case folding. So "ＮＡÏＶＥ", "naïve" and its decomposed form are one.
"""

import unicodedata
from functools import cache

import numpy as np
import xxhash
from numpy.typing import NDArray

SEPARATOR = 0  # ends a word
WORD = 1  # letters, digits and the marks that belong to them
SINGLE = 2  # a word by itself: Han and kana, written without spaces
SYMBOL = 3  # a mathematical sign: a token, but no word
IGNORED = 4  # diacritics, joiners and other format characters: neither part of a word nor its end

TABLE_SIZE = 0x20000  # above, planes 2 and 3 are SINGLE (Han) and the rest is SEPARATOR
SINGLE_END = 0x40000
KIND_SHIFT = 24  # an entry is kind << 24 | folded code point

ASCII_SYMBOLS = frozenset("+-*/=<>^%|![]")
_SYNONYMS = {"−": "-", "∗": "*", "∕": "/", "⁄": "/", "∣": "|", "≦": "≤", "≧": "≥"}
_KANA = ((0x3041, 0x3096), (0x309D, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF))
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x3005, 0x3007), (0xF900, 0xFAFF))

_UNIFORM = ((0x3400, 0x4DBF, SINGLE), (0x4E00, 0x9FFF, SINGLE), (0xAC00, 0xD7A3, WORD), (0xD800, 0xF8FF, SEPARATOR))


def _is_diacritic(code: int) -> bool:
    return 0x0300 <= code <= 0x036F or code in (0x3099, 0x309A)


def fold(character: str) -> str:
    """The one character that `character` counts as."""
    decomposed = unicodedata.normalize("NFKD", character)
    if "\u0338" not in decomposed:  # the stroke that makes "≠" of "=" is no diacritic
        base = [c for c in decomposed if not _is_diacritic(ord(c))]
        if len(base) == 1:
            character = base[0]
    character = _SYNONYMS.get(character, character)
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            character = folded
            break
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    return character


def kind(character: str) -> int:
    """One of SEPARATOR, WORD, SINGLE, SYMBOL and IGNORED for any character."""
    code = ord(character)
    category = unicodedata.category(character)
    if _is_diacritic(code) or category == "Cf" or 0xFE00 <= code <= 0xFE0F:
        return IGNORED
    folded = fold(character)
    if any(first <= ord(folded) <= last for first, last in (*_KANA, *_HAN)):
        return SINGLE if category[0] in "LMN" else SEPARATOR
    category = unicodedata.category(folded)
    if category[0] in "LMN":
        return WORD
    if folded in ASCII_SYMBOLS or (category == "Sm" and folded > "\x7f"):
        return SYMBOL
    return SEPARATOR


@cache
def table() -> NDArray[np.uint32]:
    """Entry of every code point below TABLE_SIZE, uint32 [TABLE_SIZE]."""
    entries = np.arange(TABLE_SIZE, dtype=np.uint32)  # unassigned, private and lone surrogates: SEPARATOR, unfolded
    start = 0
    for first, last, of_kind in (*_UNIFORM, (TABLE_SIZE, TABLE_SIZE, SEPARATOR)):
        for code in range(start, first):
            character = chr(code)
            if unicodedata.category(character) != "Cn":
                entries[code] = kind(character) << KIND_SHIFT | ord(fold(character))
        entries[first : last + 1] |= np.uint32(of_kind << KIND_SHIFT)
        start = last + 1
    entries.flags.writeable = False
    return entries


@cache
def table_hash() -> str:
    """Name of the table: xxh3-64 of its bytes as 16 hex digits. Fingerprints made with another table do not compare."""
    return str(xxhash.xxh3_64_hexdigest(table().astype("<u4").tobytes()))
