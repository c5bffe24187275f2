"""Answers in words: numbers that are spelled, letters of several choices, `no solution` for the empty set, `Yes, it
does` for yes.
"""

import re

from reasonmill.verify.clock import same_moment
from reasonmill.verify.math_number import Number, numbers_equal, parse_number
from reasonmill.verify.math_text import TEXT, plain, unwrap
from reasonmill.verify.number_words import worded_number

MAX_CHARS = 120
# what an answer in words, a time, a date, several letters or a set with nothing in it shows
_LETTERS = re.compile(
    r"(?<![\\a-zA-Z])[a-zA-Z]{3}|\b[nN][oO]\b|[A-J]|[\u2460-\u2473\u4e00-\u9fff∅∞]|\d\s*[apAP]\.?[mM]|\d[-:]\d"
    r"|\\(?:emptyset|varnothing|infty)(?![a-zA-Z])|\\\{\s*\\\}"
)
_ONE_LETTER = r"\(?[A-J]\)?"
_SEVERAL = re.compile(rf"{_ONE_LETTER}(?:\s*(?:(?:,|;|、|&|\band\b|和|与|及)\s*)?{_ONE_LETTER})+")
_SEPARATED = re.compile(r"[,;、&和与及]|\band\b")
_CIRCLED = re.compile(r"[\u2460-\u2473][\u2460-\u2473,，、;；\s]*")
_TO = re.compile(r"(\d+)\s*to\s*(\d+)")
_RATIO = re.compile(r"\d+\s*:\s*\d+")
_TRUTHS = {"yes": True, "true": True, "no": False, "false": False, "是": True, "否": False}
_FIRST_WORD = re.compile(r"(yes|true|no|false|是|否)\s*[,;:，；：—–-]\s*\S", re.IGNORECASE)
_SAME = (  # texts that mean one thing; the first of each is its name
    (
        "\\emptyset", "\\varnothing", "∅", "\\{\\}", "empty set", "empty", "no solution", "no solutions", "none",
        "no real solution", "no real solutions", "no real roots", "there is no solution", "there are no solutions",
        "无解", "空集",
    ),
    ("does not exist", "dne", "do not exist", "doesn't exist", "doesn’t exist", "不存在"),
    (
        "\\infty", "+\\infty", "∞", "+∞", "infinity", "positive infinity", "infinite", "infinitely many",
        "infinitely many solutions", "无穷大", "无数",
    ),
    ("cannot be determined", "can not be determined", "cannot determine", "not enough information", "无法确定"),
)  # fmt: skip
_MEANING = {text: group[0] for group in _SAME for text in group}
_ARTICLE = re.compile(r"^(?:the|an?)\s+(?=[a-z]{3})", re.IGNORECASE)


def same_wording(gold: str, answer: str) -> bool | None:
    """Whether two answers are the same by what their words mean; None where that is not a matter of words."""
    if max(len(gold), len(answer)) > MAX_CHARS or not (_LETTERS.search(gold) or _LETTERS.search(answer)):
        return None
    moment = same_moment(gold, answer)
    if moment is not None:
        return moment
    bare, other = _bare(gold), _bare(answer)
    spelled = _same_spelled(bare, other)
    if spelled is not None:
        return spelled
    if _SEVERAL.fullmatch(bare) and _SEVERAL.fullmatch(other) and (_SEPARATED.search(bare) or _SEPARATED.search(other)):
        return set(re.findall(r"[A-J]", bare)) == set(re.findall(r"[A-J]", other))
    if _CIRCLED.fullmatch(bare) and _CIRCLED.fullmatch(other):
        return re.findall(r"[\u2460-\u2473]", bare) == re.findall(r"[\u2460-\u2473]", other)
    meaning = _MEANING.get(bare.casefold())
    if meaning is not None:
        told = _MEANING.get(other.casefold())
        return told == meaning if told is not None else None
    if bare.casefold() in _TRUTHS and (first := _FIRST_WORD.match(other)) is not None:
        return _TRUTHS[bare.casefold()] == _TRUTHS[first[1].casefold()]
    words, told_words = bare.casefold(), other.casefold()
    if (_ARTICLE.match(words) or _ARTICLE.match(told_words)) and without_article(words) == without_article(told_words):
        return True
    if _RATIO.fullmatch(bare) and (ratio := _TO.fullmatch(other)) is not None:
        return re.findall(r"\d+", bare) == [ratio[1], ratio[2]]
    return None


def without_article(words: str) -> str:
    """Words without `a`, `an` or `the` in front, and without a final 条件."""
    return _ARTICLE.sub("", words).removesuffix("条件")


def _same_spelled(bare: str, other: str) -> bool | None:
    """Equality where at least one side is a number in words and the other is a number in words or digits."""
    left, right = worded_number(bare), worded_number(other)
    if left is None and right is None:
        return None
    one = parse_number(bare) if left is None else Number(value=left)
    two = parse_number(other) if right is None else Number(value=right)
    return None if one is None or two is None else numbers_equal(one, two)


def _bare(text: str) -> str:
    stripped = TEXT.sub(r"\1", unwrap(plain(text))).strip().strip(".,;:!").strip()
    return " ".join(stripped.replace("~", " ").split())
