r"""Functions in pieces, `\begin{cases} x & x > 0 \\ -x & x \le 0 \end{cases}`: the same rows in any order."""

import re
from collections.abc import Callable

from reasonmill.verify.math_text import TEXT, normal_form
from reasonmill.verify.real_sets import same_real_set

_CASES = re.compile(r"^(?P<head>[^\\]{0,40}?(?:=|≡)\s*)?\\begin\{cases\}(?P<rows>.*)\\end\{cases\}[.\s$]*$", re.DOTALL)
_WORDS = re.compile(r"^(?:,|\s|if|for|when|where)+|[,;.\s]+$")
MAX_CHARS = 600
_MAX_ROWS = 8
Compare = Callable[[str, str], bool | None]


def same_cases(gold: str, answer: str, compare: Compare) -> bool | None:
    """Whether two functions in pieces have the same pieces; None where one is none, or not certain."""
    if "cases" not in gold or "cases" not in answer or max(len(gold), len(answer)) > MAX_CHARS:
        return None
    left, right = _rows(gold), _rows(answer)
    if left is None or right is None or len(left) != len(right):
        return None
    verdicts = []
    for value, condition in left:
        partners = [other for other, told in right if _same_condition(condition, told)]
        if len(partners) != 1:
            return None
        verdicts.append(compare(value, partners[0]))
    if False in verdicts:
        return False
    return True if all(verdicts) else None


def _rows(text: str) -> list[tuple[str, str]] | None:
    found = _CASES.match(text.strip().strip("$").strip())
    if found is None:
        return None
    rows: list[tuple[str, str]] = []
    for line in re.split(r"\\\\(?:\[[^\]]*\])?", found["rows"]):
        if not line.strip():
            continue
        cells = line.split("&")
        if len(cells) != 2:
            return None
        value, condition = (_WORDS.sub("", TEXT.sub(r" \1 ", cell).strip()).strip() for cell in cells)
        rows.append((value, condition))
    return rows if 0 < len(rows) <= _MAX_ROWS else None


def _same_condition(left: str, right: str) -> bool:
    return normal_form(left) == normal_form(right) or same_real_set(left, right) is True
