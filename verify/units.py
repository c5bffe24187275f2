"""Units behind a value: found, and brought to a factor and dimensions where they are known. A unit that is not known
(`apples`) is no part of the value.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

_GROUP = r"\\(?:text|textbf|textrm|textnormal|textit|mathrm|mathbf|mbox|operatorname|rm)\s*\{[^{}]*\}"
_POWER = r"(?:\^\s*(?:\{\s*-?\d\s*\}|-?\d)|[²³⁻¹]+)?"
_GAP = r"(?:[\s~/·.]|\\[,;:! ]|\\cdot(?![a-zA-Z])|\\quad(?![a-zA-Z]))"
_COMMAND_UNIT = re.compile(rf"(?P<unit>(?:{_GROUP}{_POWER}{_GAP}*)+)$")
_TRAILING_GAP = re.compile(rf"{_GAP}+$")
_LETTERS = "A-Za-zµμΩ²³\u4e00-\u548b\u548d-\u6215\u6217-\u9fff"  # without 和 and 或
_WORD_UNIT = re.compile(rf"(?<=[\d}})])[\s~]*(?P<unit>[{_LETTERS}]+(?:(?:\^\{{?-?\d\}}?|[/·.\s])[{_LETTERS}]*)*)$")
_TEMPERATURE = re.compile(
    r"(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°|\\degree)\s*(?:\\(?:text|mathrm|rm)\s*\{\s*)?(?P<scale>[CF])\s*\}?$"
)
MAX_CHARS = 400  # of a text that may end in a unit
_NO_UNIT = frozenset(
    (
        *("sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "sqrt", "pi", "mod", "and", "or", "of", "to"),
        *("is", "are", "the", "if", "for", "not", "times", "where", "with", "when"),
    )
)
# What is read as a unit right behind a number, without `\text{}`: `5nm` may be the product of two variables.
_PLAIN_SHORT = frozenset(
    (
        *("cm", "mm", "km", "kg", "mg", "ml", "mL", "ms", "ft", "yd", "mi", "hr", "lb", "in", "sec", "min", "kJ", "kW"),
        *("kN", "kPa", "Pa", "Hz", "kHz", "MHz", "eV", "mol", "atm", "mph", "usd", "USD"),
    )
)
_LEAST_PLAIN_WORD = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A known unit: `factor` of SI base units, and their exponents."""

    factor: Fraction
    dimensions: frozenset[tuple[str, int]]


_BASE = {  # name: (factor, dimensions)
    "m": ("1", "m"), "g": ("0.001", "kg"), "s": ("1", "s"), "A": ("1", "A"), "K": ("1", "K"), "mol": ("1", "mol"),
    "N": ("1", "kg m s-2"), "J": ("1", "kg m2 s-2"), "W": ("1", "kg m2 s-3"), "Pa": ("1", "kg m-1 s-2"),
    "C": ("1", "A s"), "V": ("1", "kg m2 s-3 A-1"), "Hz": ("1", "s-1"), "T": ("1", "kg s-2 A-1"),
    "F": ("1", "A2 s4 kg-1 m-2"),
    "Ω": ("1", "kg m2 s-3 A-2"), "L": ("0.001", "m3"), "l": ("0.001", "m3"), "eV": ("1.602176634e-19", "kg m2 s-2"),
    "cal": ("4.184", "kg m2 s-2"), "M": ("1000", "mol m-3"), "bar": ("100000", "kg m-1 s-2"),
    "H": ("1", "kg m2 s-2 A-2"),
}  # fmt: skip
_SCALES = ("degC", "degF")  # of temperatures, which no factor converts
_DEGREE = "0.017453292519943295769"  # radians
_PREFIXES = {"": 0, "k": 3, "c": -2, "m": -3, "µ": -6, "μ": -6, "n": -9, "p": -12, "M": 6, "G": 9, "d": -1, "h": 2}
_NAMED = {
    "min": ("60", "s"), "minute": ("60", "s"), "h": ("3600", "s"), "hr": ("3600", "s"), "hour": ("3600", "s"),
    "day": ("86400", "s"), "week": ("604800", "s"), "second": ("1", "s"), "sec": ("1", "s"), "meter": ("1", "m"),
    "metre": ("1", "m"), "centimeter": ("0.01", "m"), "centimetre": ("0.01", "m"), "millimeter": ("0.001", "m"),
    "kilometer": ("1000", "m"), "kilometre": ("1000", "m"), "inch": ("0.0254", "m"), "in": ("0.0254", "m"),
    "foot": ("0.3048", "m"), "feet": ("0.3048", "m"), "ft": ("0.3048", "m"), "yard": ("0.9144", "m"),
    "yd": ("0.9144", "m"),
    "mile": ("1609.344", "m"), "mi": ("1609.344", "m"), "gram": ("0.001", "kg"), "kilogram": ("1", "kg"),
    "pound": ("0.45359237", "kg"), "lb": ("0.45359237", "kg"), "tonne": ("1000", "kg"), "liter": ("0.001", "m3"),
    "litre": ("0.001", "m3"), "milliliter": ("1e-6", "m3"), "coulomb": ("1", "A s"), "newton": ("1", "kg m s-2"),
    "joule": ("1", "kg m2 s-2"),
    "watt": ("1", "kg m2 s-3"), "volt": ("1", "kg m2 s-3 A-1"), "ampere": ("1", "A"), "amp": ("1", "A"),
    "kelvin": ("1", "K"), "mole": ("1", "mol"), "pascal": ("1", "kg m-1 s-2"), "atm": ("101325", "kg m-1 s-2"),
    "ohm": ("1", "kg m2 s-3 A-2"), "hertz": ("1", "s-1"), "mph": ("0.44704", "m s-1"), "kph": ("5/18", "m s-1"),
    "angstrom": ("1e-10", "m"),
    "degree": (_DEGREE, "rad"), "deg": (_DEGREE, "rad"), "radian": ("1", "rad"), "rad": ("1", "rad"),
    "dollar": ("1", "usd"),
    "usd": ("1", "usd"), "cent": ("0.01", "usd"), "euro": ("1", "eur"), "yuan": ("1", "cny"), "元": ("1", "cny"),
    "米": ("1", "m"), "厘米": ("0.01", "m"), "千米": ("1000", "m"), "千克": ("1", "kg"), "克": ("0.001", "kg"),
    "小时": ("3600", "s"), "分钟": ("60", "s"), "秒": ("1", "s"), "度": (_DEGREE, "rad"), "天": ("86400", "s"),
}  # fmt: skip
_TOKEN = re.compile(r"(?P<name>[A-Za-zµμΩ\u4e00-\u9fff]+)(?:\^?\{?(?P<power>-?\d)\}?)?|(?P<over>/|\bper\b)")


def split_unit(text: str) -> tuple[str, str]:
    """The text without the unit at its end, and the unit as written; empty where there is none or nothing before it."""
    if len(text) > MAX_CHARS:
        return text, ""
    scale = _TEMPERATURE.search(text)
    if scale is not None and scale.start() > 0:
        return text[: scale.start()].rstrip(), f"deg{scale['scale']}"
    found = _COMMAND_UNIT.search(text)
    if found is not None and found.start() > 0 and "=" not in found["unit"]:
        return _TRAILING_GAP.sub("", text[: found.start()]), _bare(found["unit"])
    found = _WORD_UNIT.search(text)
    if found is not None and _is_unit(found["unit"], apart=text[found.start() : found.start() + 1].isspace()):
        return text[: found.start()].rstrip(), _bare(found["unit"])
    return text, ""


def _is_unit(text: str, *, apart: bool) -> bool:
    """Whether plain letters behind a number are a unit rather than variables or the next word of a formula."""
    words = re.findall(r"[^\W\d_]+", text)
    if not words or len(words) > 3 or any(word.casefold() in _NO_UNIT for word in words):
        return False
    if not words[0].isascii():
        return True
    if words[0] in _PLAIN_SHORT or (len(words[0]) >= _LEAST_PLAIN_WORD and words[0].casefold().rstrip("s") in _NAMED):
        return True
    if ("²" in text or "³" in text or (apart and len(words) > 1)) and known_unit(text) is not None:
        return True  # 8 m/s^2
    return apart and len(words[0]) >= _LEAST_PLAIN_WORD


def _bare(unit: str) -> str:
    return " ".join(re.sub(r"\\[a-z]+\s*\{([^{}]*)\}", r"\1", unit).replace("~", " ").split()).strip(" .,")


def known_unit(text: str) -> Unit | None:
    """The unit, if every part of it is known."""
    factor, dimensions, sign = Fraction(1), dict[str, int](), 1
    cleaned = re.sub(r"\\(?:[a-zA-Z]+|[,;:! ])|\s+", " ", text.replace("²", "^2").replace("³", "^3").replace("·", " "))
    for token in _TOKEN.finditer(re.sub(r"\bper\b", "/", cleaned)):
        if token["over"]:
            sign = -1
            continue
        found = _named(token["name"])
        if found is None:
            return None
        power = sign * int(token["power"] or 1)
        factor *= Fraction(found[0]) ** power
        for part in found[1].split():
            name, exponent = re.fullmatch(r"([a-zA-Z]+)(-?\d*)", part).groups()  # type: ignore[union-attr]
            dimensions[name] = dimensions.get(name, 0) + power * int(exponent or 1)
    held = frozenset((name, exponent) for name, exponent in dimensions.items() if exponent)
    return Unit(factor=factor, dimensions=held) if held else None


def _named(name: str) -> tuple[str | Fraction, str] | None:
    lower = name.casefold()
    for candidate in (lower, lower.removesuffix("s"), lower.removesuffix("es")):
        if candidate in _NAMED:
            return _NAMED[candidate]
    for prefix, exponent in _PREFIXES.items():
        base = _BASE.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if base is not None:
            return Fraction(base[0]) * Fraction(10) ** exponent, base[1]
    return None


def conversion(gold: str, answer: str) -> Fraction | None:
    """What the answer's value is multiplied by to stand in the gold's unit; None where the units cannot agree.

    A side without a unit, or with one that is not known, is taken to mean the other's.
    """
    if not gold or not answer or gold == answer:
        return Fraction(1)
    left, right = known_unit(gold), known_unit(answer)
    if (gold in _SCALES and (right or answer in _SCALES)) or (answer in _SCALES and left):
        return None
    if left is None or right is None:
        return Fraction(1)
    return right.factor / left.factor if left.dimensions == right.dimensions else None
