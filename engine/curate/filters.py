"""Filters on single queries: each says why a text is removed and shows the evidence, or lets it pass.

The order is fixed, so a text that fails several filters is always removed for the same reason: unicode_ratio, empty,
incomplete, url, table, image_reference, too_long.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.corruption import corrupted_ratio
from reasonmill.engine.curate.settings import FilterSettings
from reasonmill.engine.curate.tables import find_table
from reasonmill.kernels import hints, suspects
from reasonmill.kernels.texts import Texts

_OF_TABLES = hints.PIPE | hints.LESS | hints.BACKSLASH | hints.PLUS | hints.NON_ASCII | hints.TAB
_SHOWN = 120  # characters of evidence
_TAIL = 40  # characters that hold the last two words of a text

_URL = re.compile(
    r"\b(?:https?|ftps?|file)://[^\s<>\"']+"
    r"|\bwww\.[a-z0-9-]+\.[a-z]{2,}"
    r"|\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|cn)/[^\s<>\"')]+"
    r"|\bdata:[a-z]+/[a-z0-9.+-]+;base64,",
    re.IGNORECASE,
)
_TOP_LEVELS = (".com/", ".org/", ".net/", ".edu/", ".gov/", ".cn/")
_IMAGE = re.compile(
    r"!\[[^\]]*\]\([^)]*\)|<img\b|\\includegraphics|\[asy\]"
    r"|\b(?:figure|diagram|image|picture|graph|chart|photo)s?\b[^.?!\n]{0,40}\b(?:below|above|shown|attached)\b"
    r"|\b(?:shown|depicted|seen|given|see|refer to|as) (?:(?:in|on|to) )?(?:the )?(?:figure|diagram|image|picture)\b"
    r"|如图|下图|上图|图中",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^\W*(?:\{\{?\s*\w+\s*\}?\}|<\s*\w+\s*>|\[\s*(?:insert|your|question|prompt|text|input)\b[^\]]*\]"
    r"|n/?a|null|none|nan|todo|tbd|undefined|placeholder|lorem ipsum.*|test(?:ing)?)\W*$",
    re.IGNORECASE | re.DOTALL,
)
# no question ends in these, punctuation or not ("what is it made of" does, "find a" does): what follows was cut off
_CUT_OFF = frozenset({"the", "an", "and", "whose", "because", "suppose"})
_CUT_OFF_PAIRS = frozenset(
    {("such", "that")}
    | {(noun, "of") for noun in ("value", "sum", "product", "difference", "number", "area", "length", "probability")}
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([a-zA-Z]+\*?)\}")
_SENTENCE_END = (".", "?", "!", "。", "？", "！")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Why a text is removed: reason code and evidence."""

    reason: str
    evidence: dict[str, Any]


def check(
    text: str,
    num_words: int,
    settings: FilterSettings,
    is_incomplete: Callable[[str], bool] | None = None,
    *,
    holds: int = hints.ALL,
) -> Finding | None:
    """The first filter that the text fails, or None.

    `num_words` is as kernels/minhash.py counts; `is_incomplete` is a further judge of incompleteness, such as a model.
    `holds` are the text's bits of kernels/hints.py, if they are known: a filter is not asked about what is not there.
    """
    ratio = corrupted_ratio(text) if holds & (hints.CONTROL | hints.NON_ASCII) else 0.0
    if ratio > settings.max_unicode_ratio:
        return Finding(reason="unicode_ratio", evidence={"ratio": round(ratio, 4), "text": text[:_SHOWN]})
    if num_words == 0:
        return Finding(reason="empty", evidence={"text": text[:_SHOWN]})
    if settings.drop_incomplete and (why := _incomplete(text, num_words, settings.min_words)):
        return Finding(reason="incomplete", evidence={"why": why, "text": text[-_SHOWN:]})
    if settings.drop_urls and holds & hints.SLASH_OR_WWW and (url := _find_url(text)):
        return Finding(reason="url", evidence={"matched": url[:_SHOWN]})
    if settings.drop_tables and holds & _OF_TABLES and (table := find_table(text)):
        return Finding(reason="table", evidence={"kind": table[0], "matched": table[1][:_SHOWN]})
    if settings.drop_image_references and (match := _IMAGE.search(text)):
        return Finding(reason="image_reference", evidence={"matched": match[0][:_SHOWN]})
    if settings.max_words is not None and num_words > settings.max_words:
        return Finding(reason="too_long", evidence={"words": num_words, "text": text[:_SHOWN]})
    if is_incomplete is not None and is_incomplete(text):
        return Finding(reason="incomplete", evidence={"why": "judged", "text": text[-_SHOWN:]})
    return None


def to_be_asked(texts: Texts, num_words: NDArray[np.uint32], settings: FilterSettings) -> NDArray[np.bool_]:
    """Of N texts those that `check` has to see, bool [N]; it lets all others pass."""
    wanted = suspects.CORRUPTED
    for is_on, bit in (
        (settings.drop_incomplete, suspects.INCOMPLETE),
        (settings.drop_urls, suspects.URL),
        (settings.drop_tables, suspects.TABLE),
    ):
        wanted |= bit if is_on else 0
    asked: NDArray[np.bool_] = (suspects.suspects(texts) & wanted) != 0
    asked |= num_words < (settings.min_words if settings.drop_incomplete else 1)
    if settings.max_words is not None:
        asked |= num_words > settings.max_words
    return asked | settings.drop_image_references


def _find_url(text: str) -> str | None:
    lower = text.lower()
    if not (
        "://" in lower
        or "www." in lower
        or ("/" in lower and any(top in lower for top in _TOP_LEVELS))
        or ";base64," in lower
    ):
        return None  # the expression is slow on long texts, and most have none of this
    match = _URL.search(text)
    return match[0] if match else None


def _incomplete(text: str, num_words: int, min_words: int) -> str | None:
    """Why a text is incomplete, or None."""
    if num_words < min_words:
        return f"fewer than {min_words} words"
    if len(text) < 200 and _PLACEHOLDER.match(text):
        return "placeholder"
    words = text[-_TAIL:].split()
    if words and (words[-1] in _CUT_OFF or tuple(words[-2:]) in _CUT_OFF_PAIRS):
        return f"ends in {' '.join(words[-2:])!r}"
    if "\\begin" in text and (open_ := _open_latex(text)):
        return f"{open_} is never closed"
    return None


def _open_latex(text: str) -> str | None:
    """An environment that is still open where the text ends in the middle of a sentence."""
    if text.rstrip().endswith(_SENTENCE_END):
        return None
    depth: dict[str, int] = {}
    for kind, name in _ENVIRONMENT.findall(text):
        depth[name] = depth.get(name, 0) + (1 if kind == "begin" else -1)
    return next((f"\\begin{{{name}}}" for name, open_ in depth.items() if open_ > 0), None)
