"""What two short mathematical texts have in common before any algebra: a normal form for equality, and exact numbers.
Both are microseconds and neither calls two different values equal.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_NUMBER_CHARS = 200  # longer digit strings are compared as text
_MAX_EXPONENT = 300

_SPACES = re.compile(
    r"\\[,;:!>]|\\(?:quad|qquad|thinspace|left|right|big|Big|bigg|Bigg|displaystyle|limits)(?![a-zA-Z])|~|\s+"
)
_APART = "\u2423"  # stands for the blank between two digits: 1 2 is not 12
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(rf"\\frac(\d){_APART}?(\d)(?!\d)")
_TEXT = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°")
_GROUPED = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:(?:,|\{,\})\d{3})+(?![\d])")
_NEGATIVE_SPACE = re.compile(r",\\!\s*")
_BRACKETS = re.compile(r"[(\[]|\\\{")
_SYNONYMS = {
    "\\leq": "\\le",
    "\\geq": "\\ge",
    "\\neq": "\\ne",
    "≤": "\\le",
    "≥": "\\ge",
    "≠": "\\ne",
    "−": "-",
    "×": "\\times",
    "π": "\\pi",
    "∞": "\\infty",
}
_SYNONYM = re.compile(r"\\[lgn]eq(?![a-zA-Z])|[≤≥≠−×π∞]")


def unwrap(text: str) -> str:
    """The text without enclosing math delimiters, emphasis and a final full stop."""
    stripped = text.strip()
    while True:
        before = stripped
        for left, right in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**")):
            inner = stripped[len(left) : -len(right)]
            if len(stripped) > len(left) + len(right) and stripped.startswith(left) and stripped.endswith(right):
                if left in inner or right in inner:
                    continue
                stripped = inner.strip()
        if stripped.endswith(".") and not stripped.endswith(".."):
            stripped = stripped[:-1].rstrip()
        if stripped == before:
            return stripped


def normal_form(text: str) -> str:
    """Text without spacing and style commands; equal forms mean the same. Case is kept, and digits apart stay apart."""
    form = unwrap(text)
    form = _FRACTION.sub(r"\\frac", form)
    form = _TEXT.sub(r"\1", form)
    form = _DEGREES.sub("", form)
    if not _BRACKETS.search(form):  # in brackets a comma separates
        form = _GROUPED.sub(lambda m: re.sub(r"[,{}]", "", m[0]), _NEGATIVE_SPACE.sub(",", form))
    form = _SPACES.sub("", _BETWEEN_DIGITS.sub(_APART, form))
    form = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", form)
    form = form.replace("\\$", "").replace("\\%", "%")
    return _SYNONYM.sub(lambda match: _SYNONYMS[match[0]], form)


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number as written: its value, whether a percent sign followed, its unit, whether it is a decimal."""

    value: Fraction
    percent: bool
    unit: str
    decimal: bool


_PLAIN = r"\d+(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)(?:\\\$|\$)?(?P<sign2>[+-]?)(?:"
    rf"\\frac\{{(?P<ln>[+-]?\d+)\}}\{{(?P<ld>\d+)\}}"
    rf"|(?P<pn>\d+)/(?P<pd>\d+)"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<exp>[+-]?\d{{1,4}})|(?:\\times|\\cdot)10\^(?:\{{(?P<tenb>[+-]?\d{{1,4}})\}}|(?P<ten>\d)))?"
    rf")(?P<percent>\\?%)?"
)
_UNIT = re.compile(r"\\(?:text|textbf|textrm|mathrm|mbox)\s*\{\s*([^{}]*?)\s*\}(?:\^\{?([23])\}?)?\s*$")


def parse_number(text: str) -> Number | None:
    r"""A whole text that is one number: `-1,234.5`, `\frac{1}{2}`, `3/4`, `50\%`, `1.2\times10^{5}`, with a unit in
    `\text{}` perhaps. None for everything else, lists such as `1,2` and digits in a base included.
    """
    if len(text) > MAX_NUMBER_CHARS:
        return None
    stripped = unwrap(text)
    unit = ""
    found = _UNIT.search(stripped)
    if found is not None and found.start() > 0:
        unit = found[1].replace(" ", "").rstrip(".").casefold() + (found[2] or "")
        stripped = stripped[: found.start()]
    match = _NUMBER.fullmatch(normal_form(stripped))
    if match is None or (match["sign"] and match["sign2"]):
        return None
    value = _value(match)
    if value is None:
        return None
    if "-" in (match["sign"], match["sign2"]):
        value = -value
    decimal = match["plain"] is not None and "." in match["plain"]
    return Number(value=value, percent=match["percent"] is not None, unit=unit, decimal=decimal)


def _value(match: re.Match[str]) -> Fraction | None:
    numerator, denominator = match["ln"] or match["pn"], match["ld"] or match["pd"]
    if numerator is not None:
        return Fraction(int(numerator), int(denominator)) if int(denominator) else None
    exponent = int(match["exp"] or match["tenb"] or match["ten"] or 0)
    if abs(exponent) > _MAX_EXPONENT:
        return None
    return (
        Fraction(match["plain"].rstrip(".") if match["plain"].endswith(".") else match["plain"])
        * Fraction(10) ** exponent
    )


ABSOLUTE_TOLERANCE = Fraction(1, 2_000_000)  # half a unit in the sixth decimal, Math-Verify's float_rounding=6
RELATIVE_TOLERANCE = Fraction(1, 10_000)  # without it 2**-99 equals 2**-98


def close(gold: Fraction, answer: Fraction) -> bool:
    """Whether a decimal stands for the other number: equal to six places, and relatively too."""
    difference = abs(gold - answer)
    return difference <= ABSOLUTE_TOLERANCE and difference <= RELATIVE_TOLERANCE * max(abs(gold), abs(answer))


def numbers_equal(gold: Number, answer: Number) -> bool:
    """Equality of plain numbers. Fractions and integers compare exactly, a decimal may be rounded at the sixth place.

    A percent sign on one side only counts as written or as a hundredth (50% is 50 and 0.5); units must agree where
    both sides carry one.
    """
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    pairs = [(gold.value, answer.value)]
    if gold.percent != answer.percent:
        pairs.append((gold.value / 100, answer.value) if gold.percent else (gold.value, answer.value / 100))
    rounded = gold.decimal or answer.decimal
    return any(a == b or (rounded and close(a, b)) for a, b in pairs)


_WORDS = re.compile(r"[^\W\d_]+(?:[\s'’-]+[^\W\d_]+)*", re.UNICODE)
_LEAST_WORD = 4  # shorter runs of letters may be products of variables


def plain_words(text: str) -> str | None:
    """The text casefolded where it is words, not mathematics: such a gold is compared as text. None otherwise."""
    bare = _TEXT.sub(r"\1", unwrap(text)).strip().rstrip(".")
    if _WORDS.fullmatch(bare) and ("text" in text or max(len(w) for w in re.split(r"[\s'’-]+", bare)) >= _LEAST_WORD):
        return " ".join(bare.casefold().split())
    return None
