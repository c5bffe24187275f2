"""A seeded corpus for the benches of curation: queries of about 155 words and 900 bytes, a tenth of them copies.

Words follow a Zipf-like law over an invented vocabulary, sentences have 8 to 24 of them, some hold numbers, formulas,
curly quotes. Copies: exact, other format, instruction around it, sentences reordered, words edited at 0.5 to 5 %.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_ONSETS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
    "s",
    "st",
    "t",
)
_NUCLEI = ("a", "e", "i", "o", "u", "ea", "ou")
_CODAS = ("", "", "", "n", "r", "t", "s", "l", "nd", "st")
_FUNCTION = "the of and to a in is that it for on with as are at by from this be have or one had not but what all were"
_FORMULAS = (
    "x^2 + 3x - 5 = 0",
    "f(x) = 2x + 1",
    "a_n < b_n",
    "$\\frac{3}{4}$",
    "3.5 km",
    "1,250 dollars",
    "15%",
    "n/2",
)
_PREFIX = "Please solve the following problem step by step and give the final answer at the end of your reply. "


@dataclass(frozen=True, kw_only=True, slots=True)
class Planted:
    """`texts`, and for each the text that it is a planted copy of (itself where it is none), int64 [N]."""

    texts: list[str]
    source: np.ndarray


def vocabulary(rng: random.Random, size: int = 20_000) -> list[str]:
    """Invented words, short ones first, behind the usual function words."""
    words = dict.fromkeys(_FUNCTION.split())
    while len(words) < size:
        syllables = 1 + (len(words) > 900) + (rng.random() < 0.15)
        words["".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS) for _ in range(syllables))] = None
    return list(words)


class Writer:
    """Writes sentences; the same seed writes the same ones."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._words = vocabulary(random.Random(1))
        weights = 1.0 / (np.arange(len(self._words)) + 2.7)
        self._cumulative = np.cumsum(weights).tolist()

    def words(self, count: int) -> list[str]:
        """Words by frequency."""
        return self._rng.choices(self._words, cum_weights=self._cumulative, k=count)

    def sentence(self, curly: bool = False) -> str:
        """One sentence with what belongs to it."""
        rng = self._rng
        words = self.words(rng.randrange(8, 25))
        words[0] = words[0].capitalize()
        if rng.random() < 0.25:
            words[rng.randrange(1, len(words))] = str(rng.randrange(2, 2000))
        if rng.random() < 0.08:
            words[rng.randrange(1, len(words))] = rng.choice(_FORMULAS)
        if rng.random() < 0.3:
            at = rng.randrange(1, len(words))
            words[at] += ","
        if curly:
            words[-1] = f"“{words[-1]}”"
        return " ".join(words) + ("?" if rng.random() < 0.1 else ".")

    def query(self) -> str:
        """50 to 300 words."""
        curly = self._rng.random() < 0.19
        count = self._rng.randrange(4, 16)
        sentences = [self.sentence(curly and n == 0) for n in range(count)]
        return " ".join(sentences)

    def edited(self, text: str, share: float) -> str:
        """A copy with this share of its words changed: substituted, or a word put in or left out."""
        words = []
        for word in text.split(" "):
            draw = self._rng.random()
            if draw >= share:
                words.append(word)
            elif draw < 0.6 * share:
                words.extend(self.words(1))
            elif draw < 0.8 * share:
                words.extend((*self.words(1), word))
        return " ".join(words)


def planted(count: int, seed: int = 7) -> Planted:
    """`count` queries in random order, a tenth of them copies of others."""
    writer, rng = Writer(seed), random.Random(seed + 1)
    num_copies = count // 10
    texts = [writer.query() for _ in range(count - num_copies)]
    source = list(range(count))
    kinds: tuple[Callable[[str], str], ...] = (
        lambda text: text,
        lambda text: text.upper().replace(" ", "  ").replace('"', "”"),
        lambda text: _PREFIX + text + " Thank you!",
        lambda text: _reordered(rng, text),
        *(lambda text, share=share: writer.edited(text, share) for share in (0.005, 0.01, 0.01, 0.02, 0.02, 0.05)),
    )
    for copy, original in enumerate(rng.sample(range(len(texts)), num_copies)):
        source[len(texts)] = original
        texts.append(kinds[copy % len(kinds)](texts[original]))
    places = rng.sample(range(count), count)
    place_of = {old: new for new, old in enumerate(places)}
    return Planted(
        texts=[texts[old] for old in places], source=np.array([place_of[source[old]] for old in places], np.int64)
    )


def _reordered(rng: random.Random, text: str) -> str:
    sentences = text.split(". ")
    at = rng.randrange(len(sentences))
    return ". ".join([*sentences[at:], *sentences[:at]])
