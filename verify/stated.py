"""The answer in a finished answer part that has no box: what its last "the answer is" or "####" states, else the whole
part where it is one short line. What is left is running text, whose last expression a reader would take.
"""

import re

from reasonmill.verify.math_text import half_width

_STATED = re.compile(
    r".*(?:\b(?:answer|result|solution|root)s?\b[\s*]*(?:\b(?:is|are|equals)\b|[:=]|(?=\$|\\\(|\\\[))[\s*:]*"
    r"|^\s*####\s*|(?:答案|结果)(?:应该|应)?[是为:：]+\s*|故选\s*[:：]?\s*|选择?\s*(?=[A-J]\b))(?P<value>.+)",
    re.IGNORECASE,
)
_FINAL = re.compile(r"\bfinal answer\b[\s*]*(?:\bis\b|:)|最终答案", re.IGNORECASE)
_MATH_SPAN = re.compile(r"\$\$?([^$]+)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", re.DOTALL)
_ENDS_IN_VALUE = re.compile(r".*\b(?:is|are|equals|be|=)\s+(?P<value>\S+)", re.IGNORECASE)
_NEXT_SENTENCE = re.compile(r"(?<=[^A-Z])\.\s+[A-Z].*")
_HEADING = re.compile(
    r"[#*\s]*(?:(?:so|thus|hence|therefore|the|my|and),?\s+)*(?:final\s+|correct\s+)*(?:answer|result|solution)s?"
    r"(?:\s+(?:is|are))?[\s*:：]*|[#*\s]*(?:最终)?答案[是为]?[\s*:：]*",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"<\|?[\w/]+\|?>(?:user|assistant)?|I hope (?:it|this) is correct\.?|[∎■□]\s*$"
    r"|^[ \t*]*(?:I )?(?:hope (?:this|that|it) helps|let me know if|feel free to)\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
SHORT_ANSWER_CHARS = 100
CONTEXT_CHARS = 600


def short_answer(text: str) -> str | None:
    """Answer of an answer part without a box, or None where it states nothing."""
    lines = _lines(text)
    if not lines:
        return None
    stated = _STATED.fullmatch(lines[-1][-2 * SHORT_ANSWER_CHARS :])
    if stated is not None:
        return _innermost(_NEXT_SENTENCE.sub("", stated["value"]))
    alone = len(lines) == 1 or _HEADING.fullmatch(lines[-2]) is not None
    if not alone or len(lines[-1]) > SHORT_ANSWER_CHARS:
        return None
    line = _bare(lines[-1]) or ""
    spans = _MATH_SPAN.findall(line)
    if len(spans) == 1:
        return _bare("".join(spans[0]))
    value = _ENDS_IN_VALUE.fullmatch(line)
    return _bare(value["value"]) if value is not None and not spans else line or None


def final_statement(text: str) -> str | None:
    """The answer that the last "final answer is" of a text states, or None where there is none."""
    starts = [found.start() for found in _FINAL.finditer(text)]
    if not starts:
        return None
    line = _lines(text[starts[-1] : starts[-1] + 4 * SHORT_ANSWER_CHARS])[0]
    stated = _STATED.fullmatch(_NEXT_SENTENCE.sub("", line))
    return None if stated is None else _innermost(stated["value"])


def last_words(text: str) -> str:
    """The end of running text, where a reader looks for the answer: its last line, or the last two of short ones."""
    lines = _lines(text)
    if not lines:
        return ""
    return lines[-1][-CONTEXT_CHARS:]


def _lines(text: str) -> list[str]:
    tail = half_width(_BOILERPLATE.sub(" ", text[-20 * CONTEXT_CHARS :]))
    tail = _DISPLAY.sub(lambda match: " ".join(match[0].split()), tail)
    return [line.strip() for line in re.split(r"[\r\n]+", tail) if line.strip()]


def _innermost(text: str) -> str | None:
    """A statement without the words around its only formula."""
    bare = _bare(text)
    spans = _MATH_SPAN.findall(bare or "")
    if bare is None or len(spans) != 1 or re.fullmatch(r"[\s.]*", _MATH_SPAN.sub("", bare)):
        return bare
    around = _MATH_SPAN.sub(" ", bare)
    return bare if re.search(r"\d", around) else _bare("".join(spans[0]))


def _bare(text: str) -> str | None:
    stripped = text.strip().strip("*").strip()
    if stripped.endswith((".", "。")) and not stripped.endswith("..."):
        stripped = stripped[:-1].rstrip()
    return stripped.strip("*").strip() or None
