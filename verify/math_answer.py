r"""Whether a response answers a question with a known answer. What can be settled in microseconds is settled here: a
letter, equal text, plain numbers. Everything else becomes a comparison for a worker process.

The answer is the last `\boxed{}` of the finished answer part, else a short answer part itself. Nothing else in a
response counts, reasoning least of all.
"""

import re
from dataclasses import dataclass

from reasonmill.verify.answer import choice_letter, joined_boxes, last_boxed, short_answer, split_response
from reasonmill.verify.math_text import normal_form, numbers_equal, parse_number, plain_words, unwrap
from reasonmill.verify.verdict import Verdict, not_run, scored

VERIFIER = "rules"
_SEPARATOR = re.compile(r",|;|\\pm|\\text\{|\b(?:and|or)\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A gold answer and an extracted answer that only algebra can compare."""

    gold: str
    answer: str


def check_answer(response: str, ground_truth: str | None, *, max_answer_chars: int) -> Verdict | Comparison:
    """Verdict of the cheap rules, or the comparison that is left."""
    gold = extract_gold(ground_truth)
    if not gold:
        return not_run("unverifiable_gold", verifier=VERIFIER, detail="the question has no ground truth")
    parts = split_response(response)
    if not parts.finished:
        return scored(0.0, verifier=VERIFIER, reason="unfinished")
    answer = extract_answer(parts.answer or "")
    if not answer:
        return scored(0.0, verifier=VERIFIER, reason="no_answer")
    found = compare(gold, answer, max_answer_chars=max_answer_chars)
    if isinstance(found, Verdict) and found.outcome == "pass":
        return found
    several = joined_boxes(parts.answer or "") if _SEPARATOR.search(gold) else None
    return found if several is None else compare(gold, several, max_answer_chars=max_answer_chars)


def extract_gold(ground_truth: str | None) -> str:
    r"""The gold answer itself: the last box or what follows `####` where the ground truth is a whole solution."""
    text = (ground_truth or "").strip()
    if "####" in text:
        text = text.rpartition("####")[2].strip()
    boxed = last_boxed(text)
    return text if boxed is None else boxed


def extract_answer(answer_part: str) -> str | None:
    """The answer in a finished answer part, or None."""
    boxed = last_boxed(answer_part)
    return short_answer(answer_part) if boxed is None else boxed


def compare(gold: str, answer: str, *, max_answer_chars: int) -> Verdict | Comparison:
    """Compare two extracted answers by rule: letter, text, number. Neither is empty."""
    if normal_form(gold) == normal_form(answer) != "":
        return _verdict(True)
    gold_number = parse_number(gold)
    if gold_number is not None:
        answer_number = parse_number(answer)
        if answer_number is not None:
            return _verdict(numbers_equal(gold_number, answer_number))
    elif len(unwrap(gold).strip("()")) == 1 or "text" in gold:
        letter = choice_letter(gold)
        if letter is not None and unwrap(gold) != unwrap(gold).lower():
            return _verdict(choice_letter(answer) == letter)
    words = plain_words(gold)
    if words is not None:
        return _verdict(plain_words(answer) == words)
    if len(answer) > max(max_answer_chars, 2 * len(gold)):
        return scored(0.0, verifier=VERIFIER, reason="wrong_answer", detail=f"{len(answer)} characters long")
    return Comparison(gold=gold, answer=answer)


def _verdict(equal: bool) -> Verdict:
    return (
        scored(1.0, verifier=VERIFIER, reason="ok") if equal else scored(0.0, verifier=VERIFIER, reason="wrong_answer")
    )
