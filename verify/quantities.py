r"""A number with a known unit in any spelling: `9.8 \frac{\text{m}}{\text{s}^2}`, `9.8 m·s⁻²`, `4\,\mu\text{F}`,
`1.6*10^-19 C`, `8.314 J/(mol K)`, `25℃`; or of several units, `2 hours 30 minutes`. Every part of the unit has to be
known; all else is none.
"""

import re
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from reasonmill.verify.math_number import Number, parse_number
from reasonmill.verify.math_text import TEXT, plain, unwrap
from reasonmill.verify.units import conversion, known_unit

MAX_CHARS = 120
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED_RUN = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_POWER = re.compile(r"\s*\^\s*(?:\{\s*([+-]?\d{1,3})\s*\}|\(\s*([+-]?\d{1,3})\s*\)|([+-]?\d{1,3}))")
_TIMES_TEN = re.compile(r"\s*(?:\\times|\\cdot|[x×*·⋅])\s*10\^")
_SIGNS = (
    (re.compile(r"℃|\^?\s*\{?\s*(?:°|\\circ|\\degree)\s*\}?\s*(?:\\(?:text|mathrm|rm)\s*\{\s*)?C\s*\}?$"), " degC"),
    (re.compile(r"\^?\s*\{?\s*(?:°|\\circ|\\degree)\s*\}?$"), " deg"),
    (re.compile(r"\\(?:text|mathrm|textrm|mathsf|mbox|operatorname|rm|unit|si)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\micro(?![a-zA-Z])|\\(?:text)?mu(?![a-zA-Z])\s*|[μµ]\s*"), "µ"),
    (re.compile(r"\\(?:Omega|ohm)(?![a-zA-Z])|[ΩΩ]"), "Ω"),
    (re.compile(r"(?<![A-Za-z])([kMmG])\s+(?=Ω)"), r"\1"),
    (re.compile(r"\\AA(?![a-zA-Z])|[ÅÅ]"), "angstrom"),
    (re.compile(r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\s+"), " "),
)
_UNIT_OVER_UNIT = re.compile(r"\\[dt]?frac\s*\{\s*([A-Za-zµΩ][^{}]*)\}\s*\{\s*([A-Za-zµΩ][^{}]*)\}")
_NUMBER_THEN = re.compile(r"(?P<number>(?:\\[dt]?frac|[^A-Za-zµΩ])*?[\d.)}](?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-zµΩ].*)")
_UNIT = re.compile(r"[A-Za-zµΩ]+(?:\^?[+-]?\d)?(?:[\s/()]+[A-Za-zµΩ]+(?:\^?[+-]?\d)?)*[\s)]*")
_PART = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]+)")
_COMPOUND = re.compile(rf"{_PART.pattern}(?:(?:,| and|, and)? {_PART.pattern})+\.?")
_NAME_FIRST = re.compile(r"^\s*\\?[A-Za-z_{}\d\\ ]{1,12}?\s*(?:=|\\approx|≈)\s*")
_ABOUT = re.compile(r"^(?:\\approx|\\sim|≈|~|about |approximately |roughly )\s*")


@lru_cache(maxsize=4096)
def quantity(text: str) -> Number | None:
    """The number and its unit, which is in a form that `known_unit` reads; None for a text that is not both."""
    if len(text) > MAX_CHARS:
        return None
    bare = _ABOUT.sub("", _NAME_FIRST.sub("", unwrap(plain(text))))
    bare = _RAISED_RUN.sub(lambda run: "^" + run[0].translate(_RAISED), bare)
    bare = _TIMES_TEN.sub("e", _POWER.sub(lambda power: f"^{power[1] or power[2] or power[3]}", bare))
    for pattern, sign in _SIGNS:
        bare = pattern.sub(sign, bare)
    bare = re.sub(r"\s+\^", "^", bare)
    found = _NUMBER_THEN.fullmatch(_UNIT_OVER_UNIT.sub(r" \1/(\2)", bare).strip())
    if found is None:
        return None
    number, unit = parse_number(found["number"].strip()), _plain_unit(found["unit"])
    if number is None or number.unit or number.percent or unit is None:
        return None
    return replace(number, unit=unit)


@lru_cache(maxsize=4096)
def compound(text: str) -> Number | None:
    """`2 hours and 30 minutes`, `5 ft 10 in` as one number with the first unit; None for what is none."""
    if len(text) > MAX_CHARS:
        return None
    bare = " ".join(TEXT.sub(r" \1 ", unwrap(plain(text))).replace("\\,", " ").replace("~", " ").split())
    if not _COMPOUND.fullmatch(bare):
        return None
    parts = [(Fraction(value), unit) for value, unit in _PART.findall(bare)]
    total = Fraction(0)
    for value, unit in parts:
        factor = conversion(parts[0][1], unit)
        if known_unit(unit) is None or factor is None:
            return None
        total += value * factor
    return Number(value=total, unit=parts[0][1])


def _plain_unit(written: str) -> str | None:
    """A unit with plain powers; what stands behind a stroke divides."""
    text = re.sub(r"\\cdot(?![a-zA-Z])|\\times(?![a-zA-Z])|[·⋅*.]", " ", written)
    if not _UNIT.fullmatch(text):
        return None
    if any(" " in part.strip() and not part.strip().startswith("(") for part in text.split("/")[1:-1]):
        return None  # J/mol K/s
    unit = " ".join(text.replace("(", " ").replace(")", " ").split())
    return unit if unit == "degC" or known_unit(unit) is not None else None
