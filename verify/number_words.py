"""Numbers in words: `twenty-one`, `minus six`, `two thirds`, `1.5 million`, `十二`, `二分之一`."""

import re
from fractions import Fraction

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {word: number for number, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_LARGE = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10,
}  # fmt: skip
_MIXED = re.compile(r"(?P<number>[+-]?\d+(?:\.\d+)?)\s+(?P<size>thousand|million|billion|trillion)")
_CHINESE_DIGITS = {sign: number for number, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE = re.compile(r"[零〇一二两三四五六七八九十百]{1,7}")
_CHINESE_PART = re.compile(r"(?P<bottom>[一二两三四五六七八九十百]+)分之(?P<top>[零一二两三四五六七八九十百]+)")
MAX_CHARS = 120


def worded_number(text: str) -> Fraction | None:
    """The number that a whole text without markup spells, or None."""
    if len(text) > MAX_CHARS or text.isdigit():
        return None
    if not text.isascii():
        return _chinese(text.strip())
    mixed = _MIXED.fullmatch(text.strip().casefold().replace(",", ""))
    if mixed is not None:
        return Fraction(mixed["number"]) * _LARGE[mixed["size"]]
    words = text.casefold().replace("-", " ").split()
    if words and words[0] in ("minus", "negative"):
        value = _english(words[1:])
        return None if value is None else -value
    return _english(words)


def _english(words: list[str]) -> Fraction | None:
    if len(words) >= 2 and (bottom := _PARTS.get(words[-1].removesuffix("s"), _PARTS.get(words[-1]))):
        if words[-3:-1] == ["and", "a"] or words[-3:-1] == ["and", "one"]:  # six and a half
            whole = _whole(words[:-3])
            return None if whole is None else whole + Fraction(1, bottom)
        top = 1 if words[:-1] == ["a"] else _whole(words[:-1])
        return None if top is None else Fraction(top, bottom)
    whole = _whole(words)
    return None if whole is None else Fraction(whole)


def _whole(words: list[str]) -> int | None:
    """Units after tens, tens and units after hundreds, smaller thousands after larger ones."""
    total, group, room = 0, 0, 10**15
    least = 1000  # the next word of this group has to be smaller
    for number, word in enumerate(words):
        if word in _SMALL:
            value = _SMALL[word]
            if value >= least or (value == 0 and len(words) > 1):
                return None
            group, least = group + value, 10 if value >= 20 else 0
        elif word == "hundred" and 0 < group < 10:
            group, least = group * 100, 100
        elif word in _LARGE and group and _LARGE[word] < room:
            total, group, room, least = total + group * _LARGE[word], 0, _LARGE[word], 1000
        elif word != "and" or number in (0, len(words) - 1) or words[number - 1] not in ("hundred", *_LARGE):
            return None
    return total + group if words else None


def _chinese(text: str) -> Fraction | None:
    part = _CHINESE_PART.fullmatch(text)
    if part is not None:
        top, bottom = _chinese_whole(part["top"]), _chinese_whole(part["bottom"])
        return Fraction(top, bottom) if top is not None and bottom else None
    whole = _chinese_whole(text)
    return None if whole is None else Fraction(whole)


def _chinese_whole(text: str) -> int | None:
    """Up to 999."""
    if not _CHINESE.fullmatch(text):
        return None
    found = re.fullmatch(r"(?:(\w)百)?零?(?:([一二三四五六七八九]?)(十))?([零〇一二两三四五六七八九]?)", text)
    if found is None:
        return None
    hundreds, tens, ten, ones = found.groups()
    total = 100 * _CHINESE_DIGITS.get(hundreds, 1) if hundreds else 0
    total += 10 * (_CHINESE_DIGITS[tens] if tens else 1) if ten else 0
    return total + (_CHINESE_DIGITS[ones] if ones else 0)
