"""Labels of a query, and which queries are kept of each label (arXiv 2503.19633 sections 2.1.2, 2.1.3 and 2.2.4).

Language and length follow from the text. Difficulty and topic are what a language model says, or `unknown` where it
said nothing that could be read. Whether a query of a label is kept depends on its id and the seed alone, so that the
same ones are kept whatever else there is.
"""

import re

import xxhash

from reasonmill.engine.curate.settings import TagSettings
from reasonmill.engine.records import Query, Reject

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_LATIN_WORD = re.compile(r"(?<![\\\w])[A-Za-z]{2,}")
_OTHER_LETTER = re.compile(r"[^\W\d_A-Za-z]")
_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "to",
        "a",
        "in",
        "is",
        "that",
        "it",
        "for",
        "on",
        "with",
        "as",
        "are",
        "at",
        "by",
        "from",
        "this",
        "be",
        "have",
        "or",
        "what",
        "how",
        "which",
        "find",
        "if",
        "you",
        "if",
        "each",
        "does",
        "do",
        "many",
        "when",
        "was",
        "were",
        "can",
        "an",
        "all",
        "let",
        "not",
        "i",
        "my",
        "me",
        "your",
        "write",
        "give",
        "there",
        "has",
        "had",
        "his",
        "her",
        "who",
    ]
)
_MIN_ENGLISH = 0.12  # of the Latin words that are among these; prose has 0.3 to 0.5, other languages under 0.08
_LENGTHS = ((64, "short"), (256, "medium"), (1024, "long"))  # words, up to


def language(text: str) -> str:
    """`zh`, `en` or `other`, by the script and, for Latin script, by the commonest words."""
    han, latin = len(_HAN.findall(text)), _LATIN_WORD.findall(text)
    if len(_KANA_HANGUL.findall(text)) * 5 > han + len(latin):
        return "other"
    if han > len(latin):
        return "zh"
    others = len(_OTHER_LETTER.findall(text)) - han
    if others > sum(map(len, latin)):
        return "other"
    if not latin:
        return "en" if text.isascii() else "other"  # a bare formula needs no other language
    usual = sum(word.lower() in _ENGLISH for word in latin)
    return "en" if usual >= _MIN_ENGLISH * len(latin) or (len(latin) < 5 and text.isascii()) else "other"


def length(num_words: int) -> str:
    """`short`, `medium`, `long` or `very long`."""
    return next((name for limit, name in _LENGTHS if num_words <= limit), "very long")


def downsampled(query: Query, settings: TagSettings) -> Reject | None:
    """A Reject where one of the query's labels is not kept whole and the query is none of those that stay.

    Of several labels the smallest share counts.
    """
    shares = [
        (settings.keep[f"{name}:{label}"], name, label)
        for name, label in query.tags.items()
        if f"{name}:{label}" in settings.keep
    ]
    if not shares:
        return None
    share, name, label = min(shares)
    draw = xxhash.xxh3_64_intdigest(query.id.encode("utf-8", "surrogatepass"), settings.seed) / 2**64
    if draw < share:
        return None
    evidence = {"label": label, "kept_share": share}
    return Reject(query_id=query.id, stage="curate", reason=f"downsampled_{name}", evidence=evidence)
