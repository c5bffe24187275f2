r"""Sets of real numbers in the ways that people write them, `2 < x \le 5`, `(2, 5]`, `x < 1` or `x > 2`,
`\{x \mid x \ne 3\}`, `\mathbb{R} \setminus \{3\}`, and whether two of them are the same set.

Decides only where at least one side is more than a pair in brackets, which may be a point; None for all else.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, reduce

from reasonmill.verify.math_text import normal_form, plain, unwrap
from reasonmill.verify.math_values import constant_value

MAX_CHARS = 300
_MAX_PIECES = 32
_SAME_END = Fraction(1, 10**9)  # relative; ends with roots are known to 50 digits, written decimals to fewer

_WORDED = r"\\(?:text|mathrm|mbox|textbf)\s*\{{\s*,?\s*(?:{0})\s*\}}|\b(?:{0})\b"
_COMMANDS = (
    (r"\\(?:left|right|displaystyle|limits)(?![a-zA-Z])\.?|\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\$", " "),
    (_WORDED.format("or|或者?") + r"|\\(?:lor|vee)(?![a-zA-Z])|或者?", "∨"),
    (_WORDED.format("and|且") + r"|\\(?:land|wedge)(?![a-zA-Z])|且", "∧"),
    (_WORDED.format(r"all\s+real(?:\s+(?:numbers?|values?)(?:\s+of\s+[a-z])?|s)") + "|全体实数|任意实数", "ℝ"),
    (r"\\(?:mathbb|mathbf|Bbb)\s*\{?\s*R\s*\}?|\\(?:R|reals)(?![a-zA-Z])", "ℝ"),
    (r"\\leq?(?:slant)?(?![a-zA-Z])|<=|≦|⩽", "≤"),
    (r"\\geq?(?:slant)?(?![a-zA-Z])|>=|≧|⩾", "≥"),
    (r"\\neq?(?![a-zA-Z])|!=", "≠"),
    (r"\\lt(?![a-zA-Z])", "<"),
    (r"\\gt(?![a-zA-Z])", ">"),
    (r"\\in(?![a-zA-Z])", "∈"),
    (r"\\cup(?![a-zA-Z])|\bU\b", "∪"),
    (r"\\(?:setminus|backslash)(?![a-zA-Z])", "∖"),
    (r"\\(?:emptyset|varnothing)(?![a-zA-Z])", "∅"),
    (r"\\(?:mid|vert|lvert|rvert)(?![a-zA-Z])", "|"),
    (r"\\colon(?![a-zA-Z])", ":"),
    (r"\\lbrace(?![a-zA-Z])", r"\\{"),
    (r"\\rbrace(?![a-zA-Z])", r"\\}"),
)
_SIGNS = tuple((re.compile(pattern), sign) for pattern, sign in _COMMANDS)
_MARK = re.compile(
    r"[<>≤≥≠≦≧⩽⩾∪∖ℝ]|!=|\\(?:[lg]eq?(?:slant)?|neq?|lt|gt|cup|setminus|backslash|mathbb)(?![a-zA-Z])"
    r"|\ball\s+real|实数"
)
_RELATION = re.compile(r"[<>≤≥≠=∈]")
_BUILDER = re.compile(r"\\\{\s*(?P<name>[a-zA-Z])\s*(?:∈\s*[ℝR]\s*)?[|:]\s*(?P<condition>.*)\\\}", re.DOTALL)
_INTERVAL = re.compile(r"(?P<left>[(\[\]])(?P<low>[^,;∪]+)[,;](?P<high>[^,;∪]+)(?P<right>[)\]\[])", re.DOTALL)
_POINTS = re.compile(r"\\\{(?P<items>.*)\\\}", re.DOTALL)
_NAME = re.compile(r"\\?[a-zA-Z]+(?:_\{?\w+\}?)?'?(?:\([a-zA-Z]\))?")
_ABSOLUTE = re.compile(r"\|(?P<name>[a-zA-Z])(?P<shift>[+-][^|]+)?\|")
_ORDER = re.compile(r"[a-zA-Z](?:[<≤][a-zA-Z]){2,}|[a-zA-Z](?:[>≥][a-zA-Z]){2,}")
_INFINITE = {"\\infty": math.inf, "+\\infty": math.inf, "-\\infty": -math.inf, "inf": math.inf, "-inf": -math.inf}

End = Fraction | float  # a float only for the infinities


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval; `left` and `right` say whether its ends belong to it. A point is an interval of equal ends."""

    low: End
    high: End
    left: bool
    right: bool

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.low > self.high or (self.low == self.high and not (self.left and self.right))


Pieces = tuple[Piece, ...]
_ALL: Pieces = (Piece(-math.inf, math.inf, False, False),)


@dataclass(frozen=True, slots=True)
class _Written:
    """A set, the variable that it is about where one is named, and whether it was written as a condition."""

    pieces: Pieces
    name: str = ""
    condition: bool = False


class _NoSet(Exception):
    """The text is no set of real numbers that is certain."""


def same_real_set(gold: str, answer: str) -> bool | None:
    """Whether two texts are the same set of real numbers; None where one of them may be something else."""
    if max(len(gold), len(answer)) > MAX_CHARS or not (_MARK.search(gold) or _MARK.search(answer)):
        return None
    if "\\\\" in gold or "\\\\" in answer:
        return None  # a line break, or a command that was escaped twice
    order, other = _order(gold), _order(answer)
    if order and other:
        return order == other if len(order) == len(other) else None
    left, right = _written(gold), _written(answer)
    if left is None or right is None or (left.name and right.name and left.name != right.name):
        return None
    return _same(left.pieces, right.pieces)


def _same(left: Pieces, right: Pieces) -> bool:
    return len(left) == len(right) and all(
        (a.left, a.right) == (b.left, b.right) and _near(a.low, b.low) and _near(a.high, b.high)
        for a, b in zip(left, right, strict=True)
    )


def _near(a: End, b: End) -> bool:
    if a == b or isinstance(a, float) or isinstance(b, float):
        return a == b
    return abs(a - b) <= _SAME_END * max(abs(a), abs(b))


def _order(text: str) -> list[str]:
    """Names and signs of `a < b < c`, the smallest first; empty for all else."""
    bare = _signs(text).replace(" ", "")
    found = _ORDER.fullmatch(bare)
    if found is None:
        return []
    parts = re.findall(r"[<≤]|[^<≤>≥]+|[>≥]", bare)
    turned = [_turned(part) if part in "<>≤≥" else part for part in reversed(parts)]
    return turned if parts[1] in ">≥" else parts


def _signs(text: str) -> str:
    bare = unwrap(plain(text))
    for pattern, sign in _SIGNS:
        bare = pattern.sub(sign, bare)
    return bare.strip().strip(".;,").strip()


@lru_cache(maxsize=4096)
def _written(text: str) -> _Written | None:
    bare = _signs(text)
    if not bare:
        return None
    try:
        return _any(bare)
    except _NoSet:
        return None


def _any(text: str) -> _Written:
    built = _BUILDER.fullmatch(text)
    if built is not None:
        found = _condition(built["condition"])
        if found.name and found.name != built["name"]:
            raise _NoSet
        return _Written(found.pieces, "", condition=True)
    if _RELATION.search(text) or "∨" in text or "∧" in text:
        return _condition(text)
    return _Written(_set(text))


def _condition(text: str) -> _Written:
    """`… or …` of `… and …`; a comma means the one that leaves something to say."""
    name = ""
    alternatives: list[Pieces] = []
    for alternative in text.split("∨"):
        groups = []
        for part in _apart(alternative):
            every = [_relation(one) for one in part.split("∧")]
            for one in every:
                if one.name and name and one.name != name:
                    raise _NoSet
                name = name or one.name
            groups.append(reduce(_intersection, (one.pieces for one in every)))
        alternatives.append(_listed(groups))
    return _Written(_union(alternatives), name, condition=True)


def _listed(groups: list[Pieces]) -> Pieces:
    """Conditions with commas between: all of them hold, or any, where the other reading would say nothing."""
    if not groups:
        raise _NoSet
    if len(groups) == 1:
        return groups[0]
    all_hold, any_holds = reduce(_intersection, groups), _union(groups)
    if not all_hold:
        return any_holds
    if any_holds == _ALL:
        return all_hold
    raise _NoSet


def _apart(text: str) -> list[str]:
    """Parts between commas outside brackets."""
    depth, parts = 0, [""]
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]


def _relation(text: str) -> _Written:
    """One relation, or a chain of two that points one way."""
    signs = _RELATION.findall(text)
    terms = [term.strip() for term in _RELATION.split(text)]
    if signs == ["∈"]:
        return _Written(_set(terms[1]), _variable(terms[0]), condition=True)
    if len(signs) == 1:
        absolute = _ABSOLUTE.fullmatch(terms[0].replace(" ", ""))
        if absolute is not None:
            return _distance(absolute, signs[0], _end(terms[1]))
        try:
            return _Written(_half(signs[0], _end(terms[1])), _variable(terms[0]), condition=True)
        except _NoSet:
            return _Written(_half(_turned(signs[0]), _end(terms[0])), _variable(terms[1]), condition=True)
    if len(signs) != 2 or not (set(signs) <= {"<", "≤"} or set(signs) <= {">", "≥"}):
        raise _NoSet
    first, last = _half(_turned(signs[0]), _end(terms[0])), _half(signs[1], _end(terms[2]))
    return _Written(_intersection(first, last), _variable(terms[1]), condition=True)


def _variable(term: str) -> str:
    name = normal_form(term)
    if not _NAME.fullmatch(name) or constant_value(name) is not None or name in _INFINITE:
        raise _NoSet
    return name


def _turned(sign: str) -> str:
    return {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}.get(sign, sign)


def _half(sign: str, end: End) -> Pieces:
    """All x with `x sign end`."""
    match sign:
        case "<" | "≤":
            return _tidy([Piece(-math.inf, end, False, sign == "≤" and end != math.inf)])
        case ">" | "≥":
            return _tidy([Piece(end, math.inf, sign == "≥" and end != -math.inf, False)])
        case "=":
            return _point(end)
        case "≠":
            return _without(_ALL, _point(end))
    raise _NoSet


def _distance(found: re.Match[str], sign: str, size: End) -> _Written:
    """`|x - a| < b` and its like."""
    middle = -_number(found["shift"]) if found["shift"] else Fraction(0)
    if isinstance(size, float) or size <= 0 or sign not in "<≤>≥":
        raise _NoSet
    inside = (Piece(middle - size, middle + size, sign in "≤>", sign in "≤>"),)
    return _Written(inside if sign in "<≤" else _without(_ALL, inside), found["name"], condition=True)


def _set(text: str) -> Pieces:
    """Intervals, points and the line, joined by ∪ and taken off by ∖."""
    first, *taken = text.split("∖")
    found = _union(_single(part.strip()) for part in first.split("∪"))
    return reduce(_without, (_single(part.strip()) for part in taken), found)


def _single(text: str) -> Pieces:
    if text in ("ℝ", "∅"):
        return _ALL if text == "ℝ" else ()
    interval = _INTERVAL.fullmatch(text)
    if interval is not None:
        low, high = _end(interval["low"]), _end(interval["high"])
        if low > high:
            raise _NoSet
        return _tidy(
            [
                Piece(
                    low,
                    high,
                    interval["left"] == "[" and low != -math.inf,
                    interval["right"] == "]" and high != math.inf,
                )
            ]
        )
    points = _POINTS.fullmatch(text)
    if points is None:
        raise _NoSet
    return _union(_point(_end(item)) for item in _apart(points["items"]))


def _end(text: str) -> End:
    form = normal_form(text.strip())
    return _INFINITE[form] if form in _INFINITE else _number(form)


def _number(form: str) -> Fraction:
    value = constant_value(form)
    if value is None:
        raise _NoSet
    return Fraction(value)


def _point(end: End) -> Pieces:
    if isinstance(end, float):
        raise _NoSet
    return (Piece(end, end, True, True),)


# ---- algebra of sorted pieces that do not touch


def _union(sets: Iterable[Pieces]) -> Pieces:
    return _tidy([piece for pieces in sets for piece in pieces])


def _tidy(pieces: list[Piece]) -> Pieces:
    """The pieces in order, those that touch joined."""
    if len(pieces) > _MAX_PIECES:
        raise _NoSet
    joined: list[Piece] = []
    for piece in sorted((one for one in pieces if not one.empty), key=lambda one: (one.low, not one.left)):
        last = joined[-1] if joined else None
        if last is None or piece.low > last.high or (piece.low == last.high and not (last.right or piece.left)):
            joined.append(piece)
            continue
        high, right = max((last.high, last.right), (piece.high, piece.right))
        joined[-1] = Piece(last.low, high, last.left, right)
    return tuple(joined)


def _intersection(left: Pieces, right: Pieces) -> Pieces:
    met = []
    for a in left:
        for b in right:
            low, shut_left = max((a.low, not a.left), (b.low, not b.left))
            high, right_in = min((a.high, a.right), (b.high, b.right))
            met.append(Piece(low, high, not shut_left, right_in))
    return _tidy(met)


def _without(pieces: Pieces, taken: Pieces) -> Pieces:
    """What is left of the pieces."""
    outside = _ALL
    for one in taken:
        sides = [Piece(-math.inf, one.low, False, not one.left), Piece(one.high, math.inf, not one.right, False)]
        outside = _intersection(outside, _tidy(sides))
    return _intersection(pieces, outside)
