"""Breaks a stream off that goes nowhere: a loop, the same but for its numbers, a second thinking, text after the
finished answer, another script than was asked for.

What is decided depends on the text alone and not on the pieces it came in: the text is judged STRIDE characters at a
time, and a decision names how many characters of it are kept.
"""

import re
from dataclasses import dataclass

from reasonmill.engine.teachers.loop_settings import SCRIPTS, LoopBreakerSettings
from reasonmill.engine.teachers.periods import STRIDE, PeriodFinder

_NUMBERS = re.compile(r"\d+")
_DIGITS_TO_0 = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else byte for byte in range(256))
_LETTER = re.compile(r"[^\W\d_]")
_THINK, _END_THINK, _END_ANSWER = "<think>", "</think>", "</answer>"
_LONGEST_MARK = len(_END_ANSWER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """`finish_reason` as in the protocol (`stop` where the answer was finished); `keep` characters are the answer."""

    finish_reason: str
    keep: int


class LoopBreaker:
    """One answer's state. Feed it the text as it comes."""

    def __init__(self, settings: LoopBreakerSettings) -> None:
        self._settings = settings
        self._pending = ""
        self._seen = 0  # characters judged
        self._loops = PeriodFinder(
            min_repeats=settings.min_repeats, min_span=settings.min_span, max_period=settings.max_period
        )
        counted_period = max(1, settings.counted_span // settings.counted_repeats * 2)
        self._counted = PeriodFinder(
            min_repeats=settings.counted_repeats,
            min_span=settings.counted_span,
            max_period=counted_period,
            fold=_without_numbers,
        )
        self._number_cut = ""  # a block's last digits, whose number may go on in the next
        self._mark_tail = ""  # of what was judged, for a tag that lies across two blocks
        self._thought = False  # a thinking part has ended
        self._answer_end: int | None = None
        self._language_tail = ""
        script = settings.script
        self._script = re.compile(f"[{SCRIPTS[script]}]") if script is not None else None

    def feed(self, piece: str) -> Break | None:
        """The answer has grown by `piece`. A decision is final: feed no more."""
        if not self._settings.enabled:
            return None
        text = self._pending = self._pending + piece
        if len(text) < STRIDE:
            return None
        end = len(text) - len(text) % STRIDE
        self._pending = text[end:]
        for start in range(0, end, STRIDE):
            broken = self._judge(text[start : start + STRIDE])
            if broken is not None:
                return broken
        return None

    def _judge(self, block: str) -> Break | None:
        before, self._seen = self._seen, self._seen + len(block)
        return self._judge_marks(block, before) or self._judge_loops(block) or self._judge_language(block)

    def _judge_loops(self, block: str) -> Break | None:
        if self._loops.look(block) is not None:
            return Break(finish_reason="repetition", keep=self._seen)
        text = self._number_cut + block
        whole = text.rstrip("0123456789")
        self._number_cut = text[len(whole) :][-STRIDE:]
        if self._counted.look(whole) is not None:
            return Break(finish_reason="repetition", keep=self._seen)
        return None

    def _judge_marks(self, block: str, before: int) -> Break | None:
        text = self._mark_tail + block
        offset = before - len(self._mark_tail)
        self._mark_tail = text[-(_LONGEST_MARK - 1) :]
        if "<" in text:
            found = self._read_marks(text, offset, before)
            if found is not None:
                return found
        limit = self._settings.after_answer
        if self._answer_end is not None and limit and self._seen - self._answer_end >= limit:
            return Break(finish_reason="stop", keep=self._answer_end)
        return None

    def _read_marks(self, text: str, offset: int, before: int) -> Break | None:
        at = text.find("<")
        while at >= 0:
            if text.startswith(_END_THINK, at) and offset + at + len(_END_THINK) > before:
                self._thought = True
            elif text.startswith(_THINK, at) and offset + at + len(_THINK) > before:
                if self._thought and self._settings.second_think:
                    return Break(finish_reason="second_think", keep=offset + at)
            elif text.startswith(_END_ANSWER, at) and offset + at + len(_END_ANSWER) > before and self._thought:
                self._answer_end = self._answer_end or offset + at + len(_END_ANSWER)
            at = text.find("<", at + 1)
        return None

    def _judge_language(self, block: str) -> Break | None:
        if self._script is None:
            return None
        span = self._settings.language_span
        self._language_tail = (self._language_tail + block)[-span:]
        letters = len(_LETTER.findall(self._language_tail))
        if self._seen < span or letters < span // 4:  # formulas and code hold few letters
            return None
        if len(self._script.findall(self._language_tail)) < self._settings.min_script_share * letters:
            return Break(finish_reason="language", keep=self._seen)
        return None


def _without_numbers(text: str) -> str:
    """Every number as one 0. No number lies across two texts."""
    if not text.isascii():
        return _NUMBERS.sub("0", text)
    folded = text.encode("ascii").translate(_DIGITS_TO_0)
    while b"00" in folded:
        folded = folded.replace(b"00", b"0")
    return folded.decode("ascii")


def saved_tokens(finish_reason: str, *, generated: int, cap: int, expected: float | None) -> int:
    """What a stream that was broken off could still have cost. A loop runs to its cap. What else is broken off would
    have ended by itself: at its expected length, or at once where that is passed or not known.
    """
    if finish_reason == "repetition":
        return max(0, cap - generated)
    return max(0, int(expected or 0.0) - generated)
