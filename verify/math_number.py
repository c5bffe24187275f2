r"""Exact numbers as people write them: `-1,234.5`, `\frac{1}{2}`, `1 \frac{1}{2}`, `3/4`, `50\%`, `1.2\times10^{5}`,
`\$5`, with a unit perhaps; and when two of them are the same answer.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from reasonmill.verify.math_text import APART, normal_form, plain, unwrap
from reasonmill.verify.units import conversion, split_unit

MAX_NUMBER_CHARS = 200  # longer digit strings are compared as text
_MAX_EXPONENT = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Number:
    """An exact number as written: its value, whether a percent sign followed, its unit, and for a decimal the number
    of its places and of its significant digits.
    """

    value: Fraction
    percent: bool = False
    unit: str = ""
    places: int | None = None
    significant: int = 0

    @property
    def decimal(self) -> bool:
        """Whether it was written with a point, and so may be rounded."""
        return self.places is not None


_PLAIN = r"\d+(?:\.\d*)?|\.\d+"
_CURRENCY = r"(?:\\\$|\\textdollar|[$€£¥])?"
_SIGNED_MONEY = re.compile(r"^\s*[+-]?\s*(?:(?P<dollar>\\\$)|€)")
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?){_CURRENCY}(?P<sign2>[+-]?)(?:"
    rf"\\frac\{{(?P<ln>[+-]?\d+)\}}\{{(?P<ld>\d+)\}}"
    rf"|(?P<whole>\d+)(?:\\frac\{{(?P<mn>\d+)\}}\{{(?P<md>\d+)\}}|{APART}(?P<pn2>\d+)/(?P<pd2>\d+))"
    rf"|\(?(?P<pn>\d+)\)?/\(?(?P<pd>\d+)\)?"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<exp>[+-]?\d{{1,4}})|(?:\\times|\\cdot|\*|x)10\^(?:\{{(?P<tenb>[+-]?\d{{1,4}})\}}|(?P<ten>\d)))?"
    rf"|10\^(?:\{{(?P<onlyb>[+-]?\d{{1,4}})\}}|(?P<only>\d))"
    rf"){_CURRENCY}(?P<percent>\\?%)?"
)
_REPEATING = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d*)\.(?P<before>\d*)"
    r"(?:\\(?:overline|bar)\{?(?P<line>\d+)\}?|\\dot\{?(?P<dot>\d)\}?|\((?P<bracket>\d+)\))(?P<percent>\\?%)?"
)
_PERCENT_WORD = re.compile(
    r"[\s~$]*(?:\\[,;: ])?(?:\\(?:text|mathrm|textbf)\s*\{\s*)?(?:percent(?:age)?|per\s?cent|pct)\s*\}?\.?$"
)
_BLANK_GROUPS = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{APART}\d{{3}})+(?:\.\d+)?")


@lru_cache(maxsize=8192)
def parse_number(text: str) -> Number | None:
    """A whole text that is one number. None for everything else, lists such as `1,2` and digits in a base included."""
    if len(text) > MAX_NUMBER_CHARS:
        return None
    stripped = unwrap(plain(text))
    if stripped.isascii() and stripped.isdigit():
        return Number(value=Fraction(int(stripped)))
    worded = _PERCENT_WORD.search(stripped)
    if worded is not None and worded.start() > 0:
        stripped, unit = unwrap(stripped[: worded.start()]), ""
    else:
        stripped, unit = split_unit(stripped)
    form = normal_form(stripped)
    repeating = _REPEATING.fullmatch(form)
    if repeating is not None:
        percent = worded is not None or repeating["percent"] is not None
        return Number(value=_repeated(repeating), percent=percent, unit=unit)
    match = _NUMBER.fullmatch(form)
    if match is None or (match["sign"] and match["sign2"]):
        return None
    value = _value(match)
    if value is None:
        return None
    if "-" in (match["sign"], match["sign2"]):
        value = -value
    places, significant = _precision(match)
    percent = match["percent"] is not None or worded is not None
    money = None if unit else _SIGNED_MONEY.match(stripped)
    if money is not None:
        unit = "dollar" if money["dollar"] else "euro"
    return Number(value=value, percent=percent, unit=unit, places=places, significant=significant)


def _repeated(match: re.Match[str]) -> Fraction:
    """Value of a decimal whose last digits repeat for ever: 0.1\\overline{6} is 1/6."""
    before, period = match["before"], match["line"] or match["dot"] or match["bracket"]
    size = Fraction(match["whole"] or "0") + Fraction(f"0.{before}0")
    size += Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(before))
    return -size if match["sign"] == "-" else size


def _value(match: re.Match[str]) -> Fraction | None:
    numerator, denominator = match["ln"] or match["pn"], match["ld"] or match["pd"]
    if numerator is not None:
        return Fraction(int(numerator), int(denominator)) if int(denominator) else None
    if match["whole"] is not None:
        top, bottom = int(match["mn"] or match["pn2"]), int(match["md"] or match["pd2"])
        return int(match["whole"]) + Fraction(top, bottom) if top < bottom else None
    exponent = int(match["exp"] or match["tenb"] or match["ten"] or match["onlyb"] or match["only"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    return Fraction((match["plain"] or "1").rstrip(".") or "0") * Fraction(10) ** exponent


def _precision(match: re.Match[str]) -> tuple[int | None, int]:
    """Places and significant digits of a decimal; None where no point was written."""
    digits = match["plain"]
    if digits is None or "." not in digits:
        return None, 0
    exponent = int(match["exp"] or match["tenb"] or match["ten"] or 0)
    places = len(digits.partition(".")[2]) - exponent
    return places, len(digits.replace(".", "").lstrip("0"))


ABSOLUTE_TOLERANCE = Fraction(1, 2_000_000)  # half a unit in the sixth decimal, Math-Verify's float_rounding=6
RELATIVE_TOLERANCE = Fraction(1, 10_000)  # without it 2**-99 equals 2**-98
_LEAST_DIGITS = 6  # of a decimal that may stand for a number with more of them
_LEAST_PLACES = 3  # 16386.2 does not stand for 16386.17


def close(gold: Fraction, answer: Fraction) -> bool:
    """Whether a decimal stands for the other number: equal to six places, and relatively too."""
    difference = abs(gold - answer)
    return difference <= ABSOLUTE_TOLERANCE and difference <= RELATIVE_TOLERANCE * max(abs(gold), abs(answer))


def stands_for(rounded: Number, value: Fraction) -> bool:
    """Whether a decimal of at least six digits is the other number, rounded at its last place."""
    if rounded.places is None or rounded.significant < _LEAST_DIGITS or rounded.places < _LEAST_PLACES:
        return False
    return abs(rounded.value - value) <= Fraction(1, 2) / Fraction(10) ** rounded.places


def numbers_equal(gold: Number, answer: Number) -> bool:
    """Equality of plain numbers. Fractions and integers compare exactly, a decimal may be rounded: at its sixth
    place, or where it has six digits.

    A percent sign on one side only counts as a hundredth (50% is 0.5), or from 1 up as written (50% is 50); known
    units are converted where both sides carry one.
    """
    factor = conversion(gold.unit, answer.unit)
    if factor is None:
        return False
    value = answer.value * factor
    pairs = [(gold.value, value)]
    if gold.percent != answer.percent:
        if abs(gold.value) < 1:
            pairs = []  # a half is not half a percent
        pairs.append((gold.value / 100, value) if gold.percent else (gold.value, value / 100))
    rounded = gold.decimal or answer.decimal
    if any(a == b or (rounded and close(a, b)) for a, b in pairs):
        return True
    if factor != 1 or gold.percent != answer.percent:
        return False
    return stands_for(gold, answer.value) or stands_for(answer, gold.value)


_COMMA_DECIMAL = re.compile(r"[+-]?\d+,\d+")


def as_spelled_otherwise(text: str, other: Number) -> bool:
    """Whether a text that is a list or several numbers by itself spells this number: `1000,99` is 1000.99, `1 000` is
    1000. Only where the other side says which number is meant.
    """
    form = normal_form(text)
    if _BLANK_GROUPS.fullmatch(form) and not other.decimal:
        return Fraction(form.replace(APART, "")) == other.value
    bare = unwrap(plain(text)).replace(" ", APART)
    if other.decimal and _COMMA_DECIMAL.fullmatch(bare):
        return Fraction(bare.replace(",", ".")) == other.value
    return False


_ZERO_COMMA = re.compile(r"[\s$]*[+-]?0,\d+[\s$]*")


def both_with_zero_comma(text: str, other: str) -> bool:
    """Whether both write a number with a decimal comma behind a zero: as lists -0,5 and 0,5 would be equal."""
    return _ZERO_COMMA.fullmatch(text) is not None and _ZERO_COMMA.fullmatch(other) is not None
