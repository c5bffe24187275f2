r"""Whether two answers are the same, by their shape and the values in it: single values, lists and sets in any order,
tuples and intervals, matrices, unions, `x = 5`. Microseconds, without sympy.

Decides only what is certain; None means that algebra has to. The rules are Math-Verify's where it is right: brackets
of an interval count, a list has no order, a tuple has, `x = 5` is 5 but not `y = 5`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from reasonmill.verify.math_literals import same_literal
from reasonmill.verify.math_number import (
    as_spelled_otherwise,
    both_with_zero_comma,
    close,
    numbers_equal,
    parse_number,
    stands_for,
)
from reasonmill.verify.math_text import TEXT, normal_form, plain, unwrap
from reasonmill.verify.math_values import constant_value, same_value
from reasonmill.verify.units import conversion, split_unit

Kind = Literal["value", "list", "bracket", "matrix", "union"]
MAX_CHARS = 1000
MAX_ITEMS = 64
_MAX_DEPTH = 4

_AND = re.compile(
    r"\\(?:text|mathrm|textbf|mbox)\s*\{\s*(?:,?\s*(?:and|or)|,)\s*\}|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])|(?<=[\d)}\]])(?:and|or)(?=[A-Z(\d\\-])|[;；，、和或]|\\q?quad(?![a-zA-Z])"
)
_MANY_COMMAS = re.compile(r"(?:\s|\$|\\[,;: ])*,(?:(?:\s|\$|\\[,;: ])*,)*(?:\s|\\[,;: ])*")
_ASSIGNED = re.compile(
    r"^(?P<name>\\frac\{d(?:\^\d)?[a-zA-Z]?\}\{d[a-zA-Z](?:\^?\d)?\}|\\?[a-zA-Z]+(?:_\{?\w+\}?)?'?(?:\([\w,+]*\))?|\((?:\\?[a-zA-Z]+(?:_\{?\w+\}?)?,?)+\)|\|?[A-Z]{2,4}\|?)"
    r"(?:=|\\in(?![a-zA-Z])|\\(?:approx|equiv)(?![a-zA-Z]))(?P<value>[^=<>]+)$"
)
_MATRIX = re.compile(r"^\\begin\{([pbvBV]?matrix|array)\}(?:\{[clr|]*\})?(?P<rows>.*)\\end\{\1\}$", re.DOTALL)
_THIN_SPACE = re.compile(r"(?<!\\)\\[,;: ]")
_ANGLE = re.compile(r"\\[lr]angle(?![a-zA-Z])")
_LABEL = re.compile(r"^[A-Z]'?\s*(?=\([^()]*,[^()]*\)$)")  # P(3, -4)
_RELATION = re.compile(
    r"[=<>:|]|\\(?:le|ge|ne|lt|gt|in|approx|equiv|sim|to|mid|pm|mp|cup|cap|setminus)(?![a-zA-Z])|[≤≥≠≈±∪∈]"
)
_INFINITE = re.compile(r"[+-]?\\infty")
_COMMAND = re.compile(r"\\[a-zA-Z]+(?:\{[a-zA-Z ]*\})?")
_PROSE = re.compile(r"[a-zA-Z]{3}")
_LONE_LETTER = re.compile(r"^[\d.,]+\s+[a-zA-Z]$")
_BASED = re.compile(r"(?P<digits>[0-9][0-9A-Fa-f]*)_(?P<base>\d|\{\d+\})")


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer taken apart. `items` are texts; `brackets` the outer pair, for a matrix its row count."""

    kind: Kind
    items: tuple[str, ...]
    brackets: str = ""


def same_answer(gold: str, answer: str, *, depth: int = 0) -> bool | None:
    """Whether two extracted answers are the same; None where only algebra can tell."""
    if max(len(gold), len(answer)) > MAX_CHARS:
        return True if gold.split() == answer.split() else None
    form, other = normal_form(gold), normal_form(answer)
    if form and form == other:
        return True
    if depth > _MAX_DEPTH:
        return None
    literal = same_literal(gold, answer)
    if literal is not None:
        return literal
    decided = _same_number(gold, answer)
    if decided is not None:
        return decided
    stripped = _strip_assignments(form, other)
    if stripped is None:
        return None
    if stripped != (form, other):
        return same_answer(*_unassigned(gold, answer), depth=depth + 1)
    left, right = shape_of(gold), shape_of(answer)
    if left is None or right is None:
        return None
    if left.kind == right.kind == "value":
        return _same_expression(gold, answer)
    return _same_shape(left, right, depth)


def _same_number(gold: str, answer: str) -> bool | None:
    left, right = parse_number(gold), parse_number(answer)
    if left is not None and right is not None:
        return numbers_equal(left, right)
    if both_with_zero_comma(gold, answer):
        return gold.strip("$ ") == answer.strip("$ ")
    if (left is not None and as_spelled_otherwise(answer, left)) or (
        right is not None and as_spelled_otherwise(gold, right)
    ):
        return True
    return None


def _strip_assignments(form: str, other: str) -> tuple[str, str] | None:
    """The forms without `x=`; None where both sides name different things."""
    left, right = _ASSIGNED.match(form), _ASSIGNED.match(other)
    if left is not None and right is not None and left["name"] != right["name"]:
        heads = [re.sub(r"\([a-zA-Z]\)$", "", found["name"]) for found in (left, right)]
        if heads[0] != heads[1] or constant_value(left["value"]) is None:
            return None  # f(x) = 1 is f(n) = 1, but x = 1 is not y = 1
    return (left["value"] if left else form), (right["value"] if right else other)


def _unassigned(gold: str, answer: str) -> tuple[str, str]:
    return _value_part(gold), _value_part(answer)


def _value_part(text: str) -> str:
    """The text behind `=` or `\\in` where it is an assignment, as written."""
    if _ASSIGNED.match(normal_form(text)) is None:
        return text
    return re.split(r"=|\\in(?![a-zA-Z])|∈|\\approx(?![a-zA-Z])|\\equiv(?![a-zA-Z])", plain(unwrap(text)), maxsplit=1)[
        -1
    ]


@lru_cache(maxsize=8192)
def shape_of(text: str) -> Shape | None:
    """The shape of an answer, or None where it has none that is certain."""
    bare = unwrap(plain(text))
    matrix = _MATRIX.match(
        bare.replace("\\left", "").replace("\\right", "").strip("()[] ") if "\\begin" in bare else bare
    )
    if matrix is not None:
        return _matrix(matrix)
    if "\\begin" in bare:
        return None
    if ";" in bare and "=" in bare:
        return None  # p=5,q=2;p=7,q=2
    bare = _AND.sub(",", re.sub(r"\\(?:left|right)(?![a-zA-Z])\.?", "", bare))
    bare = _THIN_SPACE.sub(" ", bare)
    bare = _LABEL.sub("", _ANGLE.sub(lambda sign: "(" if sign[0] == "\\langle" else ")", bare))
    bare = bare.replace("\\lbrace", "\\{").replace("\\rbrace", "\\}").replace("∪", "\\cup ").replace("±", "\\pm ")
    bare = _MANY_COMMAS.sub(",", bare).strip().strip(",")
    if not bare:
        return None
    pieces = _split(bare, "\\cup")
    if pieces is None:
        return None
    if len(pieces) > 1:
        return Shape("union", tuple(pieces)) if len(pieces) <= MAX_ITEMS else None
    return _listed(bare, text)


def _matrix(found: re.Match[str]) -> Shape | None:
    """A matrix, or a determinant, whose number of rows has a stroke in front."""
    rows = found["rows"]
    lines = [line.replace("\\hline", "") for line in re.split(r"\\\\(?:\[[^\]]*\])?", rows)]
    cells = [[cell.strip() for cell in line.split("&")] for line in lines if line.strip()]
    if not cells or "\\begin" in rows or len({len(row) for row in cells}) != 1 or not all(all(row) for row in cells):
        return None
    kind = "|" if found[1][:1] in ("v", "V") else ""
    return Shape("matrix", tuple(cell for row in cells for cell in row), f"{kind}{len(cells)}")


def _listed(bare: str, text: str) -> Shape | None:
    parts = _split(bare, ",")
    if parts is None:
        return None
    if len(parts) > 1:
        if parse_number(text) is not None:
            return Shape("value", (bare,))
        if not all(parts) or len(parts) > MAX_ITEMS or _PROSE.search(_COMMAND.sub(" ", bare)):
            return None
        return Shape("list", _expanded(parts))
    opening, closing, inner = _outer(bare)
    if opening:
        items = _split(inner, ",")
        if items is None or not all(items) or len(items) > MAX_ITEMS:
            return None
        if opening in ("\\{", "{"):
            return Shape("list", _expanded(items))
        if len(items) > 1:
            return Shape("bracket", tuple(items), opening + closing)
        if opening + closing == "()":
            return _listed(inner.strip(), inner)
        return None
    if "\\pm" in bare:
        expanded = _expanded([bare])
        return Shape("list", expanded) if len(expanded) == 2 else None
    if _RELATION.search(bare):
        return None
    return Shape("value", (bare,))


def _expanded(items: list[str]) -> tuple[str, ...]:
    r"""Items with `a \pm b` written out."""
    written: list[str] = []
    for item in items:
        if item.count("\\pm") == 1 and "\\mp" not in item:
            left, _, right = item.partition("\\pm")
            written += [f"{left}+{right}" if left.strip() else right, f"{left}-{right}"]
        else:
            written.append(item)
    return tuple(part.strip() for part in written)


_BRACKET = re.compile(r"\\[{}]|[(){}\[\]]|\\cup(?![a-zA-Z])|,")
_CLOSING = {"(": ")]", "[": "])", "\\{": ("\\}",), "{": ("}",)}


def _split(text: str, separator: str) -> list[str] | None:
    """Parts between the separators that stand outside all brackets; None where brackets do not match."""
    stack: list[str] = []
    parts, begin = [], 0
    for token in _BRACKET.finditer(text):
        sign = token[0]
        if sign in _CLOSING:
            stack.append(sign)
        elif sign == separator:
            if not stack:
                parts.append(text[begin : token.start()].strip())
                begin = token.end()
        elif sign not in (",", "\\cup") and (not stack or sign not in _CLOSING[stack.pop()]):
            return None
    return None if stack else [*parts, text[begin:].strip()]


def _outer(text: str) -> tuple[str, str, str]:
    """Opening and closing bracket that enclose the whole text, and what is between them."""
    opening = next((sign for sign in _CLOSING if text.startswith(sign)), "")
    closing = next((sign for sign in ("\\}", "}", ")", "]") if text.endswith(sign)), "")
    if not opening or not closing or closing not in _CLOSING[opening]:
        return "", "", text
    depth = 0
    for token in _BRACKET.finditer(text):
        if token[0] in _CLOSING:
            depth += 1
        elif token[0] not in (",", "\\cup"):
            depth -= 1
            if depth == 0 and token.end() < len(text):
                return "", "", text
    return opening, closing, text[len(opening) : -len(closing)]


def _same_shape(left: Shape, right: Shape, depth: int) -> bool | None:
    kinds = {left.kind, right.kind}
    if kinds == {"value", "list"}:
        for one in (left, right):  # 100,200 may be a number or a list
            if (
                one.kind == "value"
                and "," in one.items[0]
                and "\\!" not in one.items[0]
                and _outer(one.items[0])[0] == ""
            ):
                parts = _split(one.items[0], ",")
                other = right if one is left else left
                return True if parts and _same_collection(tuple(parts), other.items, depth) else None
    if kinds <= {"value", "list"}:
        return _same_collection(left.items, right.items, depth)
    if kinds == {"list", "bracket"} and (named := _same_named(left, right, depth)) is not None:
        return named
    if kinds == {"matrix", "bracket"}:
        return _same_vector(left, right, depth)
    if left.kind != right.kind:
        return _unlike(left, right)
    if left.kind == "union":
        return True if _same_collection(left.items, right.items, depth) else None
    if left.brackets != right.brackets:
        return False if left.kind == "matrix" or (_interval(left) and _interval(right)) else None
    if len(left.items) != len(right.items):
        return False
    return _all_same(left.items, right.items, depth)


def _same_named(left: Shape, right: Shape, depth: int) -> bool | None:
    """`x=1, y=2` against `(1, 2)`: in order where the names are in order; None where they are not, or are none."""
    listed, other = (left, right) if left.kind == "list" else (right, left)
    found = [_ASSIGNED.match(normal_form(item)) for item in listed.items]
    names = [one["name"] for one in found if one is not None]
    if len(names) != len(found) or other.brackets != "()":
        return None
    if len(set(names)) == 1 < len(names):
        return False  # values of one name are no point
    if names != sorted(set(names)):
        return None
    if len(names) != len(other.items):
        return False
    return _all_same(tuple(map(_value_part, listed.items)), other.items, depth)


def _same_vector(left: Shape, right: Shape, depth: int) -> bool | None:
    """A matrix of one row or one column against a tuple."""
    matrix, other = (left, right) if left.kind == "matrix" else (right, left)
    count = len(matrix.items)
    if matrix.brackets not in ("1", str(count)) or not (
        other.brackets == "()" or (other.brackets == "[]" and count > 2)
    ):
        return None
    return _all_same(left.items, right.items, depth) if len(other.items) == count else False


def _interval(shape: Shape) -> bool:
    """Whether two items may be the ends of an interval, where brackets count; a falling pair is a point."""
    if len(shape.items) != 2:
        return False
    low, high = (constant_value(normal_form(item)) for item in shape.items)
    return low is None or high is None or low <= high


def _unlike(left: Shape, right: Shape) -> bool | None:
    """A tuple is no number; every other mixture is left to algebra."""
    for one, other in ((left, right), (right, left)):
        if one.kind == "value" and other.kind == "bracket" and constant_value(normal_form(one.items[0])) is not None:
            return False
    return None


def _all_same(left: tuple[str, ...], right: tuple[str, ...], depth: int) -> bool | None:
    verdicts = [same_answer(a, b, depth=depth + 1) for a, b in zip(left, right, strict=True)]
    if False in verdicts:
        return False
    return True if all(verdicts) else None


def _same_collection(left: tuple[str, ...], right: tuple[str, ...], depth: int) -> bool | None:
    """Equality in any order, repetitions counting once."""
    table = [[same_answer(a, b, depth=depth + 1) for b in right] for a in left]
    columns = list(zip(*table, strict=True))
    if all(True in row for row in table) and all(True in column for column in columns):
        return True
    for lines in (table, columns):
        if any(all(cell is False for cell in line) for line in lines):
            return False
    return None


def _same_expression(gold: str, answer: str) -> bool | None:
    """Equality of two single values: by value, by unit, or as numerals of a base."""
    (left_text, left_unit), (right_text, right_unit) = (split_unit(unwrap(plain(text))) for text in (gold, answer))
    form, other = normal_form(left_text), normal_form(right_text)
    based = _BASED.fullmatch(form), _BASED.fullmatch(other)
    if any(based):
        return _same_numeral(form, other)
    if any(map(_INFINITE.fullmatch, (form, other))):
        return _same_infinity(form, other)
    if TEXT.search(left_text) or TEXT.search(right_text) or _PROSE.search(_COMMAND.sub(" ", form + " " + other)):
        return True if form == other else None
    if _LONE_LETTER.search(left_text) or _LONE_LETTER.search(right_text):
        return None  # 5 m: metres, or a product
    factor = conversion(left_unit, right_unit)
    if factor is None:
        return False
    if factor != 1:
        return None
    left, right = parse_number(left_text), parse_number(right_text)
    for rounded, value in ((left, constant_value(other)), (right, constant_value(form))):
        if rounded is not None and rounded.decimal and value is not None:
            exact = Fraction(value)
            return close(exact, rounded.value) or stands_for(rounded, exact)
    return True if form == other else same_value(form, other)


def _same_infinity(form: str, other: str) -> bool | None:
    if form.lstrip("+") == other.lstrip("+"):
        return True
    finite = other if _INFINITE.fullmatch(form) else form
    return False if _INFINITE.fullmatch(finite) or constant_value(finite) is not None else None


def _same_numeral(form: str, other: str) -> bool | None:
    """Digits with a base are equal to the same digits with the same base; a base that is missing is not the same."""
    left, right = _BASED.fullmatch(form), _BASED.fullmatch(other)
    if left is not None and right is not None:
        bases = left["base"].strip("{}"), right["base"].strip("{}")
        return left["digits"].lstrip("0") == right["digits"].lstrip("0") if bases[0] == bases[1] else None
    plain_digits = other if left is not None else form
    return False if plain_digits.isdigit() else None
