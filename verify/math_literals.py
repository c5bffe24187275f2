r"""Answers that mean their characters and not the value of an expression: words and labels, dates and other digits
joined by signs, numerals of a base, digits apart, percent against money, one unit against another. Algebra would
multiply the letters, subtract the months and drop the units.

Decides only between two answers of one kind; None for all others.
"""

import math
import re
from fractions import Fraction

from reasonmill.verify.math_number import close, parse_number
from reasonmill.verify.math_text import TEXT, normal_form, plain, unwrap
from reasonmill.verify.math_values import constant_value
from reasonmill.verify.units import conversion, known_unit, split_unit

MAX_CHARS = 200
_LETTERS = re.compile(r"[A-Za-z]+(?:[ ~]+[A-Za-z]+)*")
_JOINED = re.compile(r"\d+(?P<sign>[-/:.–])\d+(?:(?P=sign)\d+)+")
_RATIO = re.compile(r"[1-9]\d*(?:\s*:\s*[1-9]\d*){2,}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ARC_MINUTES = re.compile(r"\d+(?:\.\d+)?\s*(?:['′]|\^?\{?\\prime\}?)+")
_APART = re.compile(r"\d+(?:[ ~]+\d+)+")
_BASED = re.compile(r"(?P<digits>[0-9A-Za-z]+)_(?:\{(?P<braced>\d{1,2})\}|(?P<base>\d{1,2}))")
_PREFIXED = re.compile(r"0[bBoOxX][0-9A-Fa-f]+")
_MEASURED = re.compile(r"(?P<number>[-+]?[\d.,]+)[ ~]*(?P<unit>[A-Za-zµμ]+)")
_MONEY = re.compile(r"\\\$|^\$\d|[€£¥]")
_PERCENT = re.compile(r"\\?%")
_DEGREES = re.compile(r"\\circ(?![a-zA-Z])|°|\\degree(?![a-zA-Z])")
_CONTRARY = (
    ("noon", "midnight"), ("am", "pm"), ("bc", "ad"), ("bce", "ce"), ("north", "south"), ("east", "west"),
    ("left", "right"), ("up", "down"), ("increase", "decrease"), ("clockwise", "counterclockwise"),
)  # fmt: skip
_TRUTH = {"yes", "no", "true", "false", "correct", "incorrect"}  # which of them mean the same is decided elsewhere


def same_literal(gold: str, answer: str) -> bool | None:
    """Whether two answers of one of these kinds are the same; None where they are of none, or of two."""
    if max(len(gold), len(answer)) > MAX_CHARS:
        return None
    if (_is_percent(gold) and _is_money(answer)) or (_is_money(gold) and _is_percent(answer)):
        return False
    left, right = _bare(gold), _bare(answer)
    if _is_opposite(left, right):
        return False
    angle = _same_angle(gold, answer)
    if angle is not None:
        return angle
    if _LETTERS.fullmatch(left) and _LETTERS.fullmatch(right) and max(len(left), len(right)) > 1:
        words = left.casefold().split(), right.casefold().split()
        return None if words[0] == words[1] or all(set(word) <= _TRUTH for word in words) else False
    if _is_joined_against_a_number(left, right):
        return False
    ratios = _RATIO.fullmatch(left), _RATIO.fullmatch(right)
    if all(ratios):
        return _proportional(*([int(digits) for digits in re.findall(r"\d+", text)] for text in (left, right)))
    for kind in (_JOINED, _APART):
        if kind.fullmatch(left) and kind.fullmatch(right):
            return [int(digits) for digits in re.findall(r"\d+", left)] == [
                int(digits) for digits in re.findall(r"\d+", right)
            ]
    if _PREFIXED.fullmatch(left) and _PREFIXED.fullmatch(right):
        values = _prefixed(left), _prefixed(right)
        return None if None in values else values[0] == values[1]
    return _same_numeral(left, right) if "_" in left and "_" in right else _same_measure(left, right)


def _is_joined_against_a_number(left: str, right: str) -> bool:
    """Whether one side is a date or a ratio of three, or minutes of arc, and the other a single number."""
    for one, other in ((left, right), (right, left)):
        if (_DATE.fullmatch(one) or _RATIO.fullmatch(one)) and parse_number(other) is not None:
            return True
        if _ARC_MINUTES.fullmatch(one) and "'" not in other and "prime" not in other and "′" not in other:
            return parse_number(other) is not None
    return False


def _proportional(left: list[int], right: list[int]) -> bool:
    return len(left) == len(right) and all(a * right[0] == b * left[0] for a, b in zip(left, right, strict=True))


def _is_opposite(left: str, right: str) -> bool:
    """Whether both are numbers and one has a word behind it that is the contrary of the other's."""
    words = [set(re.findall(r"[a-z]+", text.replace(".", "").casefold())) for text in (left, right)]
    if not (words[0] and words[1] and left[:1].isdigit() and right[:1].isdigit()):
        return False
    return any(
        words[0] & {one, other} != words[1] & {one, other} and words[0] & {one, other} and words[1] & {one, other}
        for one, other in _CONTRARY
    )


def _same_angle(gold: str, answer: str) -> bool | None:
    """Degrees on one side, a multiple of pi on the other; None for all others."""
    degrees = [_DEGREES.search(text) is not None for text in (gold, answer)]
    if degrees[0] == degrees[1]:
        return None
    measured, other = (gold, answer) if degrees[0] else (answer, gold)
    number, radians = parse_number(measured), constant_value(normal_form(split_unit(unwrap(plain(other)))[0]))
    if number is None or radians is None or not re.search(r"\\pi(?![a-zA-Z])|π", other):
        return None
    return close(Fraction(radians), number.value * Fraction(math.pi) / 180)


def _same_numeral(left: str, right: str) -> bool | None:
    values = [_numeral(found) for found in (_BASED.fullmatch(left), _BASED.fullmatch(right))]
    return None if None in values else values[0] == values[1]


def _numeral(found: re.Match[str] | None) -> int | None:
    """Value of digits with a base, None where there is none."""
    if found is None:
        return None
    base = int(found["base"] or found["braced"])
    try:
        return int(found["digits"], base) if 2 <= base <= 36 else None
    except ValueError:
        return None


def _prefixed(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def _same_measure(left: str, right: str) -> bool | None:
    """Numbers with units, both known and not the same, one of them of more than a letter: 5 m may be 5 times m."""
    one, other = _MEASURED.fullmatch(left), _MEASURED.fullmatch(right)
    if one is None or other is None or one["unit"] == other["unit"] or max(len(one["unit"]), len(other["unit"])) < 2:
        return None
    if known_unit(one["unit"]) is None or known_unit(other["unit"]) is None:
        return None
    first, second = parse_number(one["number"]), parse_number(other["number"])
    if first is None or second is None:
        return None
    factor = conversion(one["unit"], other["unit"])
    return factor is not None and close(Fraction(first.value), Fraction(second.value) * factor)


def _is_percent(text: str) -> bool:
    return _PERCENT.search(text) is not None and _MONEY.search(text.strip()) is None


def _is_money(text: str) -> bool:
    return _MONEY.search(_without_delimiters(text)) is not None and _PERCENT.search(text) is None


def _without_delimiters(text: str) -> str:
    stripped = text.strip()
    return unwrap(stripped) if stripped.endswith("$") else stripped


def _bare(text: str) -> str:
    return TEXT.sub(r"\1", unwrap(plain(text))).strip().strip("$").strip()
