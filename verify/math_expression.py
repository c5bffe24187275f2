r"""Short mathematical expressions with one reading only, as a tree of tuples, without sympy: numbers, single-letter
variables, `+ - * / ^`, `\frac`, `\sqrt`, mixed numbers, pi and e. Everything with a second reading (`f(x)`, `1/2x`,
`x^{y}`) is refused, so that a caller can trust what it gets.
"""

import re
from fractions import Fraction
from typing import Any

Node = tuple[Any, ...]  # ("number", Fraction) | ("name", str) | ("constant", "pi" | "e") | (operator, Node, …)

MAX_CHARS = 400  # longer texts are left to algebra
MAX_DEPTH = 40

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|"
    "chi|psi|omega|Delta|Omega|Gamma|Lambda|Sigma|Phi|Psi"
)
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<name>(?:[a-zA-Z]|\\(?:{_GREEK})(?![a-zA-Z]))(?:_(?:[a-zA-Z0-9]|\{{[a-zA-Z0-9]+\}}))?)"
    r"|(?P<word>\\(?:frac|sqrt|pi|cdot|times|div)(?![a-zA-Z]))|(?P<sign>[-+*/^(){}\[\]])"
)
_TIMES = ("*", "\\cdot", "\\times")
_OVER = ("/", "\\div")


class _Refused(Exception):
    """The text has no reading here, or more than one."""


def parse_expression(form: str) -> Node | None:
    """Tree of a text in normal form (math_text.normal_form), or None."""
    if not form or len(form) > MAX_CHARS:
        return None
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(form):
        found = _TOKEN.match(form, at)
        if found is None:
            return None
        assert found.lastgroup is not None, "every alternative is named"
        tokens.append((found.lastgroup, found[0]))
        at = found.end()
    reader = _Reader(tokens)
    try:
        tree = reader.sum()
    except _Refused:
        return None
    return tree if reader.ended else None


class _Reader:
    """Recursive descent over tokens; raises _Refused."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._tokens)

    def _next(self) -> str:
        return "" if self.ended else self._tokens[self._at][1]

    def _kind(self) -> str:
        return "" if self.ended else self._tokens[self._at][0]

    def _take(self, expected: str = "") -> str:
        text = self._next()
        if not text or (expected and text != expected):
            raise _Refused
        self._at += 1
        return text

    def sum(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Refused
        sign = self._take() if self._next() in ("+", "-") else ""
        total = self._product()
        if sign == "-":
            total = ("negative", total)
        while self._next() in ("+", "-"):
            operator = "add" if self._take() == "+" else "subtract"
            total = (operator, total, self._product())
        self._depth -= 1
        return total

    def _product(self) -> Node:
        product = self._power()
        divided = False
        while not self.ended:
            text = self._next()
            if text in _TIMES:
                self._take()
                product = ("multiply", product, self._signed_power())
            elif text in _OVER:
                self._take()
                product = ("divide", product, self._signed_power())
                divided = True
            elif self._starts_factor():
                if divided:
                    raise _Refused  # 1/2x
                product = self._implied(product)
            else:
                break
        return product

    def _starts_factor(self) -> bool:
        return self._kind() in ("number", "name") or self._next() in ("(", "{", "\\frac", "\\sqrt", "\\pi")

    def _implied(self, left: Node) -> Node:
        """A factor that follows without a sign."""
        if self._kind() == "number":
            raise _Refused  # x2, (1+x)2
        if left[0] == "name" and self._next() == "(":
            raise _Refused  # f(x)
        if left[0] == "number" and self._next() == "\\frac":
            return self._mixed(left)
        return ("multiply", left, self._power())

    def _mixed(self, whole: Node) -> Node:
        """`1\\frac{4}{5}` is 9/5; with anything but digits in the fraction it is a product."""
        fraction = self._power()
        top, bottom = fraction[1:] if fraction[0] == "divide" else (whole, whole)
        if fraction[0] != "divide" or top[0] != "number" or bottom[0] != "number":
            return ("multiply", whole, fraction)
        if whole[1].denominator != 1 or not 0 <= top[1] < bottom[1]:
            raise _Refused
        return ("add", whole, fraction)

    def _signed_power(self) -> Node:
        if self._next() == "-":
            raise _Refused  # 2*-3
        return self._power()

    def _power(self) -> Node:
        base = self._atom()
        if self._next() != "^":
            return base
        self._take()
        if self._next() == "{":
            exponent = self._grouped("{", "}")
        elif self._kind() in ("number", "name") and len(self._next()) == 1:
            exponent = self._atom()
        else:
            raise _Refused
        if self._next() == "^":
            raise _Refused
        return ("power", base, exponent)

    def _grouped(self, left: str, right: str) -> Node:
        self._take(left)
        inner = self.sum()
        self._take(right)
        return inner

    def _atom(self) -> Node:
        kind, text = self._kind(), self._next()
        if kind == "number":
            self._take()
            return ("number", Fraction(text))
        if kind == "name":
            self._take()
            return ("constant", "e") if text == "e" else ("name", text.replace("{", "").replace("}", ""))
        if text in ("(", "{"):
            return self._grouped(text, ")" if text == "(" else "}")
        if text == "\\pi":
            self._take()
            return ("constant", "pi")
        if text == "\\frac":
            self._take()
            return ("divide", self._argument(), self._argument())
        if text == "\\sqrt":
            self._take()
            degree = self._grouped("[", "]") if self._next() == "[" else ("number", Fraction(2))
            return ("root", self._argument(), degree)
        raise _Refused

    def _argument(self) -> Node:
        """Argument of a command: a group, or one letter or digit as in `\\frac12` and `\\sqrt3`."""
        if self._next() == "{":
            return self._grouped("{", "}")
        kind, text = self._kind(), self._next()
        if kind == "number" and text.isdigit():
            # a command takes one digit; what is left is the next token
            self._tokens[self._at] = (kind, text[1:]) if len(text) > 1 else self._tokens[self._at]
            if len(text) == 1:
                self._at += 1
            return ("number", Fraction(text[0]))
        if kind == "name" and len(text) == 1:
            return self._atom()
        raise _Refused
