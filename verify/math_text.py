r"""A normal form of short mathematical texts, in microseconds: equal forms mean the same. Spacing, style commands and
spelling go; case stays, and so do blanks between digits (1 2 is not 12).
"""

import re
from functools import lru_cache

_SPACES = re.compile(
    r"\\[,;:!> ]|\\(?:quad|qquad|thinspace|left|right|[bB]igg?[lrm]?|displaystyle|limits|textstyle)(?![a-zA-Z])|~|\s+"
)
APART = "\u2423"  # stands for the blank between two digits
_BETWEEN_DIGITS = re.compile(r"(?<=\d)(?:\s|~)+(?=\d)")
_FRACTION = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(rf"\\frac(?:(\d){APART}?(\d)(?!\d)|(\d)\{{|\{{([^{{}}]*)\}}(\d))")
_SHORT_ROOT = re.compile(r"\\sqrt(\w)")
TEXT = re.compile(
    r"\\(?:text|textbf|textrm|textit|textnormal|mathrm|mathbf|mathit|mathsf|mbox|operatorname|boldsymbol|emph|rm|bf)"
    r"\s*\{([^{}]*)\}"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°|\\degree(?![a-zA-Z])")
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:(?:,|\{,\})\d{3})+(?![\d,]|\{,\})")
_BRACED_COMMA = re.compile(r"\s*\{\s*,\s*\}\s*")
_NEGATIVE_SPACE = re.compile(r",\\!\s*")
_BRACKETS = re.compile(r"[(\[]|\\\{")
_ONE_BRACED = re.compile(r"([_^])\{(\w)\}")
_NATURAL = re.compile(r"\\log_(?:\{e\}|e)(?![a-zA-Z])")
_BRACKETED_NUMERAL = re.compile(r"^\(([0-9A-Fa-f]+)\)(?=_)")
_BARE_POWER = re.compile(r"\^(?:\(([+-]?\d+)\)|(-\d+))")
_PI = re.compile(r"(?<![a-zA-Z\\])pi(?![a-zA-Z])")
_POWER_SIGNS = re.compile(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLAIN_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_SYNONYMS = {
    "\\leq": "\\le",
    "\\geq": "\\ge",
    "\\leqslant": "\\le",
    "\\geqslant": "\\ge",
    "\\neq": "\\ne",
    "\\lt": "<",
    "\\gt": ">",
    "\\lbrace": "\\{",
    "\\rbrace": "\\}",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\colon": ":",
    "**": "^",
    "<=": "\\le",
    ">=": "\\ge",
    "!=": "\\ne",
    "≤": "\\le",
    "≥": "\\ge",
    "≠": "\\ne",
    "−": "-",
    "–": "-",
    "×": "\\times",
    "·": "\\cdot",
    "÷": "\\div",
    "π": "\\pi",
    "∞": "\\infty",
    "√": "\\sqrt",
    "∪": "\\cup",
    "∈": "\\in",
    "±": "\\pm",
}
_SYNONYM = re.compile(
    r"\\(?:[lgn]eq(?:slant)?|[lg]t|[lr]brace|[lr]brack|colon)(?![a-zA-Z])|\*\*|[<>!]=|[≤≥≠−–×·÷π∞√∪∈±]"
)
# Full-width forms of ASCII, as Chinese and Japanese texts have them, and their punctuation.
_WIDE: dict[int, str | int] = {**{0xFF01 + n: 0x21 + n for n in range(94)}, 0x3000: " ", 0x3001: ",", 0x3002: "."}
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"))
_TWICE_ESCAPED = re.compile(r"\\\\(?=[a-zA-Z])")
_ONCE_ESCAPED = re.compile(r"(?<!\\)\\[a-zA-Z]")


def plain(text: str) -> str:
    r"""The text in half-width characters, and with `\\frac` that was escaped twice escaped once."""
    text = half_width(text)
    if "\\\\" in text and not _ONCE_ESCAPED.search(text):
        text = _TWICE_ESCAPED.sub(r"\\", text)
    return text


def half_width(text: str) -> str:
    """The text with ASCII for its full-width forms."""
    return text if text.isascii() else text.translate(_WIDE)


def unwrap(text: str) -> str:
    """The text without enclosing math delimiters, emphasis and a final full stop."""
    stripped = text.strip()
    while True:
        before = stripped
        for left, right in _DELIMITERS:
            inner = stripped[len(left) : -len(right)]
            if len(stripped) > len(left) + len(right) and stripped.startswith(left) and stripped.endswith(right):
                if left in inner or right in inner:
                    continue
                stripped = inner.strip()
        if stripped.endswith((".", "\\\\")) and not stripped.endswith(".."):
            stripped = stripped.rstrip(".\\").rstrip()
        if stripped == before:
            return stripped


@lru_cache(maxsize=8192)
def normal_form(text: str) -> str:
    """Text without spacing and style commands; equal forms mean the same. Case is kept, and digits apart stay apart."""
    form = unwrap(plain(text))
    if form.isdigit():
        return form
    form = _FRACTION.sub(r"\\frac", form)
    form = TEXT.sub(r"\1", form)
    form = _DEGREES.sub("", form)
    if not _BRACKETS.search(form):  # in brackets a comma separates
        form = _BRACED_COMMA.sub("{,}", _NEGATIVE_SPACE.sub(",", form)) if "," in form else form
        form = _GROUPED.sub(lambda m: re.sub(r"[,{}]", "", m[0]), form)
    form = _SPACES.sub("", _BETWEEN_DIGITS.sub(APART, form))
    form = form.replace("\\$", "").replace("\\%", "%")
    form = _POWER_SIGNS.sub(lambda match: "^{" + match[0].translate(_PLAIN_DIGITS) + "}", form)
    if "^" in form:
        form = _BARE_POWER.sub(r"^{\1\2}", form)
    form = _PI.sub(r"\\pi", _SYNONYM.sub(lambda match: _SYNONYMS[match[0]], form))
    form = _BRACKETED_NUMERAL.sub(r"\1", _NATURAL.sub(r"\\ln", form)) if "_" in form else form
    form = _SHORT_FRACTION.sub(_braced_fraction, form)
    return _SHORT_ROOT.sub(r"\\sqrt{\1}", _ONE_BRACED.sub(r"\1\2", form))


def _braced_fraction(match: re.Match[str]) -> str:
    if match[1]:
        return f"\\frac{{{match[1]}}}{{{match[2]}}}"
    return f"\\frac{{{match[3]}}}{{" if match[3] else f"\\frac{{{match[4]}}}{{{match[5]}}}"


_WORDS = re.compile(r"[^\W\d_]+(?:[\s'’,-]+[^\W\d_]+)*", re.UNICODE)
_LEAST_WORD = 4  # shorter runs of letters may be products of variables
_SHORT_WORDS = frozenset(("yes", "no", "odd", "red", "all", "one", "two", "ten", "six", "none", "both"))


def plain_words(text: str) -> str | None:
    """The text casefolded where it is words, not mathematics: such a gold is compared as text. None otherwise."""
    bare = TEXT.sub(r"\1", unwrap(plain(text))).strip().rstrip(".")
    if not _WORDS.fullmatch(bare):
        return None
    words = re.split(r"[\s'’,-]+", bare.casefold())
    if "\\text" in text or "\\m" in text or max(map(len, words)) >= _LEAST_WORD or _SHORT_WORDS.issuperset(words):
        return " ".join(words)
    return " ".join(words) if not bare.isascii() else None
