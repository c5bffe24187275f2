"""Copies of a question in disguise: what decontamination must find again. Seeded: the same seed, the same copies.

What is planted here is known to be contamination, so that a share of it is a recall: benches measure rules with it, and
`reasonmill calibrate` finds the threshold of an embedding model.
"""

import random
import re
from collections.abc import Sequence

_WRAPPERS = (
    ("You are a careful assistant. Solve it and box the answer.\n\n", "\n\nThink first."),
    ("Please solve the following problem step by step. ", " Put the final answer in \\boxed{}."),
    ("Question: ", "\nAnswer:"),
    ("", " Let us reason step by step."),
)
_DOLLARS = re.compile(r"\$([^$]+)\$")
_OPERATOR = re.compile(r"\s*([=+<>])\s*")
_NUMBER = re.compile(r"\d{1,18}")
_SPACE = re.compile(r"(\s+)")
_HAN = re.compile(r"[\u4e00-\u9fff]")


class Disguiser:
    """Disguises texts; `words` are those that edits put in, of which there is one at least."""

    KINDS = ("verbatim", "wrapped", "reformatted", "edits_2_percent", "edits_5_percent", "edits_10_percent")

    def __init__(self, words: Sequence[str], seed: int) -> None:
        self._words = words
        self._rng = random.Random(seed)

    def copy(self, text: str, kind: str) -> str:
        """A copy of one of KINDS."""
        if kind == "verbatim":
            return text
        if kind == "wrapped":
            before, behind = self._rng.choice(_WRAPPERS)
            return before + text + behind
        if kind == "reformatted":
            return reformatted(text)
        return self.edited(text, int(kind.split("_")[1]) / 100)

    def edited(self, text: str, share: float) -> str:
        """A copy with this share of its words changed: 60 % replaced, 20 % with a word put in before, 20 % left out."""
        kept = []
        for word in _SPACE.split(text):
            draw = self._rng.random()
            if not word.strip() or draw >= share:
                kept.append(word)
            elif draw < 0.6 * share:
                kept.append(self._rng.choice(self._words))
            elif draw < 0.8 * share:
                kept.append(f"{self._rng.choice(self._words)} {word}")
        return "".join(kept)

    def edited_characters(self, text: str, share: float) -> str:
        """The same of Han characters, of which `words` are some; other characters stay."""
        kept = []
        for character in text:
            draw = self._rng.random()
            if not _HAN.match(character) or draw >= share:
                kept.append(character)
            elif draw < 0.6 * share:
                kept.append(self._rng.choice(self._words))
            elif draw < 0.8 * share:
                kept.append(self._rng.choice(self._words) + character)
        return "".join(kept)


def reformatted(text: str) -> str:
    r"""Other LaTeX for the same: \\dfrac for \\frac, \\( \\) for $ $, or $ $ for \\( \\), and space around signs."""
    text = text.replace("\\dfrac", "\\frac") if "\\dfrac" in text else text.replace("\\frac", "\\dfrac")
    brackets = "\\(" in text
    text = text.replace("\\(", "$").replace("\\)", "$") if brackets else _DOLLARS.sub(r"\\( \1 \\)", text)
    return _OPERATOR.sub(r" \1 ", text)


def other_numbers(text: str, seed: int = 0) -> str:
    """Every number another one: a problem of its own, and a copy of a template."""
    rng = random.Random(seed)

    def changed(match: "re.Match[str]") -> str:
        old = int(match[0])
        return str(old + rng.randrange(1, max(3, min(old, 10**6))))

    return _NUMBER.sub(changed, text)
