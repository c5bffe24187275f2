"""The rules by which a text is read, and the twin of csrc/core/scan.cpp that also says where each token stands.

A token is a word, a number or a mathematical sign. First each character becomes what `characters.table()` folds it to:
IGNORED ones vanish, separators outside ASCII become spaces, and a character that is a token by itself (SINGLE, or a
SYMBOL outside ASCII) stands between spaces. Then, of what there is now:

- A word is a run of letters and digits.
- A point between two digits and a comma before a group of three digits are inside a number: "1,234.5" is the token
  "1234.5", "(1, 2)" is two tokens, "v2.5" has no number but 2 and 5.
- A sign is a token unless it belongs to a rule or to markup ("---", "**", "||"), is a hyphen between letters, an
  exclamation mark after anything but a digit (a factorial), or a bracket after a backslash. Round brackets are no
  tokens: prose is full of them.

The quantities of a text are the multiset of its numbers and signs; a run of digits inside a word counts as a number.
"""

import re
from dataclasses import dataclass
from functools import cache

from reasonmill.kernels import characters
from reasonmill.kernels.hashes_reference import MASK, hash_bytes, quantity_hash, sequence_key

SIGN_MARK = b"\xff"  # leads a sign outside ASCII in what is hashed; no UTF-8 holds it
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A word or sign as it was folded, and where it stands: characters `start` to `end` of the text."""

    folded: str
    start: int
    end: int
    is_word: bool

    @property
    def hash(self) -> int:
        """64-bit hash of the folded characters."""
        return _token_hash(self.folded)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """What exact deduplication and the number guard compare; all hashes."""

    key: tuple[int, int]
    quantities: int
    num_words: int


@cache
def _entries() -> list[int]:
    return [int(entry) for entry in characters.table()]


def _entry(code: int) -> tuple[int, str]:
    if code < characters.TABLE_SIZE:
        entry = _entries()[code]
        return entry >> characters.KIND_SHIFT, chr(entry & 0x1F_FFFF)
    return characters.SINGLE if code < characters.SINGLE_END else characters.SEPARATOR, chr(code)


def _token_hash(folded: str) -> int:
    if not folded.isascii() and not _is_word(folded):
        return hash_bytes(SIGN_MARK + folded.encode())
    return hash_bytes(folded.encode("utf-8", "surrogatepass"))


def _is_word(folded: str) -> bool:
    """Whether a folded token is a word; a sign is one character."""
    return len(folded) > 1 or _entry(ord(folded))[0] != characters.SYMBOL


class _Folded:
    """A text whose characters are folded: `characters`, each with its `places` in the text (start, end)."""

    def __init__(self, text: str) -> None:
        self.characters: list[str] = []
        self.alone: set[int] = set()  # places of characters that are tokens by themselves
        self.places: list[int] = []
        for at, character in enumerate(text):
            kind, folded = _entry(ord(character))
            if kind == characters.SINGLE or (kind == characters.SYMBOL and not folded.isascii()):
                if self.characters and self.characters[-1] != " ":
                    self._add(" ", at)
                self.alone.add(len(self.characters))
                self._add(folded, at)
                self._add(" ", at)
            elif kind == characters.SEPARATOR and not folded.isascii():
                self._add(" ", at)
            elif kind != characters.IGNORED:
                self._add(folded, at)

    def _add(self, character: str, at: int) -> None:
        self.characters.append(character)
        self.places.append(at)


class _Reader:
    """Reads one folded text from left to right."""

    def __init__(self, text: str) -> None:
        self.folded = _Folded(text)
        self.tokens: list[Token] = []
        self.numbers: list[str] = []  # runs of digits with the points inside them
        self._word: list[int] = []  # places in the folded text

    def read(self) -> "_Reader":
        for at, character in enumerate(self.folded.characters):
            if at in self.folded.alone:
                self._token([at], is_word=_is_word(character))
            elif _is_letter(character) or _is_digit(character) or self._joins_number(at):
                self._word.append(at)
            else:
                self._finish()
                if character in characters.ASCII_SYMBOLS and self._is_mathematical(at):
                    self._token([at], is_word=False)
        self._finish()
        return self

    def _token(self, places: list[int], *, is_word: bool) -> None:
        folded = "".join(self.folded.characters[at] for at in places if self.folded.characters[at] != ",")
        start, end = self.folded.places[places[0]], self.folded.places[places[-1]] + 1
        self.tokens.append(Token(folded=folded, start=start, end=end, is_word=is_word))

    def _finish(self) -> None:
        if self._word:
            self._token(self._word, is_word=True)
            word = "".join(map(self._at, self._word))
            self.numbers.extend(number.replace(",", "") for number in _NUMBER.findall(word))
        self._word = []

    def _at(self, index: int) -> str:
        return self.folded.characters[index] if 0 <= index < len(self.folded.characters) else " "

    def _joins_number(self, at: int) -> bool:
        word = "".join(map(self._at, self._word))
        if self._at(at) not in ".," or not word or any(_is_letter(c) for c in word):
            return False
        if not _is_digit(self._at(at + 1)) or not _is_digit(self._at(at - 1)):
            return False
        if self._at(at) == ".":
            return True
        if "." in word or ("," not in word and len(word) > 3):
            return False
        return all(_is_digit(self._at(at + k)) for k in (2, 3)) and not _is_digit(self._at(at + 4))

    def _is_mathematical(self, at: int) -> bool:
        sign, before, after = self._at(at), self._at(at - 1), self._at(at + 1)
        if sign in (before, after):
            return False
        if sign == "-":
            return not (_is_letter(before) and _is_letter(after))
        if sign == "!":
            return _is_digit(before)
        if sign in "[]":
            return before != "\\"
        return True


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"


def _is_letter(character: str) -> bool:
    return "a" <= character <= "z" or character > "\x7f"


def tokenize(text: str) -> list[Token]:
    """Tokens of a text in order."""
    return _Reader(text).read().tokens


def quantities(text: str) -> list[str]:
    """Numbers and signs of a text: numbers first, each kind in order."""
    read = _Reader(text).read()
    return [*read.numbers, *(token.folded for token in read.tokens if not token.is_word)]


def fingerprint(text: str) -> Fingerprint:
    """Key, quantities and number of words of a text."""
    read = _Reader(text).read()
    signs = [token.folded for token in read.tokens if not token.is_word]
    return Fingerprint(
        key=sequence_key([token.hash for token in read.tokens], text.encode("utf-8", "surrogatepass")),
        quantities=sum(quantity_hash(_token_hash(quantity)) for quantity in (*read.numbers, *signs)) & MASK,
        num_words=sum(token.is_word for token in read.tokens),
    )
