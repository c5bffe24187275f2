"""The rules by which a text is read, and the twin of csrc/core/scan.cpp that also says where each token stands.

A token is a word, a number or a mathematical sign; characters count as `characters.table()` folds them.

- A word is a run of WORD characters; each SINGLE character is one. IGNORED characters are skipped.
- A point between two digits and a comma before a group of three digits are inside a number: "1,234.5" is the token
  "1234.5", "(1, 2)" is two tokens.
- A SYMBOL is a token unless it belongs to a rule or to markup ("---", "**", "||"), is a hyphen between letters, an
  exclamation mark after anything but a digit (a factorial), or a bracket after a backslash. Round brackets are no
  tokens: prose is full of them.

The quantities of a text are the multiset of its numbers and signs; a run of digits inside a word counts as a number.
"""

from dataclasses import dataclass
from functools import cache

from reasonmill.kernels import characters
from reasonmill.kernels.hashes_reference import MASK, hash_bytes, quantity_hash, sequence_key

_DIGITS = frozenset("0123456789")


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
    return hash_bytes(folded.encode("utf-8", "surrogatepass"))


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[Token] = []
        self._word: list[str] = []
        self._start = 0
        self._commas = 0

    def read(self) -> list[Token]:
        for at, character in enumerate(self.text):
            kind, folded = _entry(ord(character))
            if kind == characters.WORD:
                self._append(folded, at)
            elif kind == characters.SINGLE:
                self._finish(at)
                self._append(folded, at)
                self._finish(at + 1)
            elif kind == characters.SYMBOL:
                self._finish(at)
                if self._is_mathematical(at, folded):
                    self.tokens.append(Token(folded=folded, start=at, end=at + 1, is_word=False))
            elif kind == characters.SEPARATOR and not self._joins_number(at):
                self._finish(at)
        self._finish(len(self.text))
        return self.tokens

    def _append(self, folded: str, at: int) -> None:
        if not self._word:
            self._start = at
        self._word.append(folded)

    def _finish(self, end: int) -> None:
        if self._word:
            self.tokens.append(Token(folded="".join(self._word), start=self._start, end=end, is_word=True))
        self._word = []
        self._commas = 0

    def _at(self, index: int) -> str:
        return self.text[index] if 0 <= index < len(self.text) else " "

    def _is_digit(self, index: int) -> bool:
        return self._at(index) in _DIGITS

    def _is_letter_like(self, index: int) -> bool:
        character = self._at(index)
        return character > "\x7f" or character.isalpha()

    def _joins_number(self, at: int) -> bool:
        numeric = bool(self._word) and all(c in _DIGITS or c == "." for c in self._word)
        if self.text[at] not in ".," or not numeric or not self._is_digit(at - 1):
            return False
        if self.text[at] == ".":
            if self._is_digit(at + 1):
                self._word.append(".")
            return self._is_digit(at + 1)
        if "." in self._word or (self._commas == 0 and len(self._word) > 3):
            return False
        if not all(self._is_digit(at + k) for k in (1, 2, 3)) or self._is_digit(at + 4):
            return False
        self._commas += 1
        return True

    def _is_mathematical(self, at: int, sign: str) -> bool:
        if sign.isascii() and sign in (self._at(at - 1), self._at(at + 1)):
            return False
        if sign == "-":
            return not (self._is_letter_like(at - 1) and self._is_letter_like(at + 1))
        if sign == "!":
            return self._is_digit(at - 1)
        if sign in "[]":
            return self._at(at - 1) != "\\"
        return True


def tokenize(text: str) -> list[Token]:
    """Tokens of a text in order."""
    return _Reader(text).read()


def numbers_of(word: str) -> list[str]:
    """Numbers in a folded word: itself if it is one, else its runs of digits."""
    if all(c in _DIGITS or c == "." for c in word):
        return [word]
    runs = "".join(c if c in _DIGITS else " " for c in word)
    return runs.split()


def fingerprint(text: str) -> Fingerprint:
    """Key, quantities and number of words of a text."""
    tokens = tokenize(text)
    quantities = 0
    for token in tokens:
        for number in numbers_of(token.folded) if token.is_word else [token.folded]:
            quantities += quantity_hash(_token_hash(number))
    return Fingerprint(
        key=sequence_key([token.hash for token in tokens], text.encode("utf-8", "surrogatepass")),
        quantities=quantities & MASK,
        num_words=sum(token.is_word for token in tokens),
    )
