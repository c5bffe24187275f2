"""Answers of science by rule: a letter, true or false, a number with its unit within a relative tolerance, a list of
such numbers; what is left is compared as mathematics. A reference that is prose is left to a judge.
"""

import json
import re
from dataclasses import replace
from fractions import Fraction

from reasonmill.verify.math_answer import decide
from reasonmill.verify.math_number import Number, parse_number
from reasonmill.verify.math_shape import shape_of
from reasonmill.verify.math_text import normal_form, plain, unwrap
from reasonmill.verify.math_values import constant_value
from reasonmill.verify.quantities import quantity
from reasonmill.verify.units import conversion, known_unit, split_unit

# A number, a gap, and nothing but names of units: `5 kg m/s^2`, `50 s^{-1}`. In mathematics it may be a product.
_OHM = re.compile(r"\\(?:Omega|ohm)(?![a-zA-Z])")
_BRACES = re.compile(r"\\(?:text|mathrm|rm)(?![a-zA-Z])|[{}]")
_GAP = re.compile(r"~|\\[,;: ]|\\cdot")
_NAME = r"(?:\\(?:text|mathrm|rm)\s*\{\s*[A-Za-zµμΩ]{1,8}\s*\}|[A-Za-zµμΩ]{1,8}|\\Omega|\\ohm)(?:\^?\{?-?\d\}?|[²³])?"
_WITH_UNIT = re.compile(
    rf"(?P<number>.*?[\d}})])(?:\s|~|\\[,;: ])+(?P<unit>{_NAME}(?:(?:\s|[/·*.~]|\\cdot\s|\\[,;: ])+{_NAME}){{0,5}})"
)
_FORMULA = re.compile(r"(?=.*[\d+-])(?:\(?[A-Z][a-z]?\d*(?:\)\d*)?)+(?:\^(?:\d?[+-]|[+-]\d)|\d?[+-])?")  # H2O, Fe^2+
_FORMULA_MARKS = re.compile(r"\\(?:ce|text|mathrm|rm)(?![a-zA-Z])|[\s{}_$]")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-")
_MAX_CHARS = 100  # of a number with a unit
_LEAST_PROSE_WORDS = 5
_WORDS = re.compile(r"(?<!\\)\b[a-zA-Z]{2,}\b|[\u4e00-\u9fff]{2,}")
_MEASURED = re.compile(r"\d\.\d|[eE][+-]?\d|10\^|\\times|×")


def decide_science(gold: str, answer: str, *, tolerance: float, prompt: str = "") -> bool | None:
    """Whether two extracted answers are the same; None where rules cannot tell."""
    listed = _json_numbers(gold)
    if listed is not None:
        return _same_list(listed, answer, tolerance)
    same = decide(gold, answer, prompt)
    if same:
        return True
    formulas = [
        _FORMULA_MARKS.sub("", unwrap(plain(text))).translate(_LOWERED)
        for text in (gold[:_MAX_CHARS], answer[:_MAX_CHARS])
    ]
    if all(map(_FORMULA.fullmatch, formulas)):
        return formulas[0] == formulas[1]
    near = _near(gold, answer, tolerance)
    return near if near is not None else same


def is_prose(gold: str) -> bool:
    """Whether a reference is a sentence or more, which no rule compares."""
    return len(_WORDS.findall(re.sub(r"\$[^$]*\$|\\\(.*?\\\)", " ", gold))) >= _LEAST_PROSE_WORDS


def _near(gold: str, answer: str, tolerance: float) -> bool | None:
    """Equality of two measured values, in one unit, within the tolerance; None where one of them is none."""
    left, right = _quantity(gold), _quantity(answer)
    if left is None or right is None:
        return None
    if left.percent != right.percent:
        return None  # decided exactly
    factor = conversion(left.unit, right.unit)
    if factor is None:
        return False
    value = right.value * factor
    if left.value == value:
        return True
    if not (_measured(gold, left) or factor != 1):
        return False  # whole numbers and fractions are exact
    return abs(left.value - value) <= Fraction(tolerance) * abs(left.value)


def _measured(text: str, number: Number) -> bool:
    return number.decimal or bool(number.unit) or _MEASURED.search(plain(text)) is not None


def _quantity(text: str) -> Number | None:
    """A number, or a constant such as `\\sqrt{2}/3`, with its unit, and without a name in front."""
    bare = re.sub(r"^\s*\\?[a-zA-Z_{}\d]{1,12}\s*(?:=|\\approx|≈)\s*", "", unwrap(plain(text)))
    bare = re.sub(r"^(?:\\approx|\\sim|≈|~|about |approximately )\s*", "", bare)
    number = parse_number(bare)
    measured = quantity(text)
    if measured is not None and (number is None or number.unit != measured.unit):
        return measured
    if number is not None:
        return number
    written = _WITH_UNIT.fullmatch(bare) if len(bare) <= _MAX_CHARS else None
    if written is not None:
        unit = _BRACES.sub("", _GAP.sub(" ", _OHM.sub("Ω", written["unit"]))).strip()
        number = parse_number(written["number"])
        if number is not None and not number.unit and known_unit(unit) is not None:
            return replace(number, unit=unit)
    body, unit = split_unit(bare)
    value = constant_value(normal_form(body))
    return None if value is None else Number(value=Fraction(value), unit=unit)


def _json_numbers(gold: str) -> list[float] | None:
    """The numbers of a gold that is a JSON list of them."""
    if not gold.startswith("["):
        return None
    try:
        listed = json.loads(gold)
    except (ValueError, RecursionError):
        return None
    if not isinstance(listed, list) or not listed or not all(type(one) in (int, float) for one in listed):
        return None
    return listed


def _same_list(gold: list[float], answer: str, tolerance: float) -> bool | None:
    shape = shape_of(answer)
    if shape is None or shape.kind not in ("list", "bracket", "matrix", "value"):
        return None
    if len(shape.items) != len(gold):
        return False
    verdicts = [
        decide_science(str(one), item, tolerance=tolerance) for one, item in zip(gold, shape.items, strict=True)
    ]
    return False if False in verdicts else (True if all(verdicts) else None)
