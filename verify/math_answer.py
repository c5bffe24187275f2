r"""Whether a response answers a question with a known answer. What can be settled in microseconds is settled here: a
letter, equal text, numbers and shapes of numbers. Everything else becomes a comparison for a worker process.

The answer is what stands in the last `\boxed{}` of the finished answer part (or in a run of boxes, or in a final
statement behind them), else what a part without a box states. Nothing else counts, reasoning least of all.
"""

import json
import re
from dataclasses import dataclass

from reasonmill.verify.answer import split_response
from reasonmill.verify.boxes import boxed_list, find_boxes, last_boxed
from reasonmill.verify.choices import choice, options_of
from reasonmill.verify.math_number import numbers_equal
from reasonmill.verify.math_shape import same_answer
from reasonmill.verify.math_text import normal_form, plain, plain_words, unwrap
from reasonmill.verify.piecewise import same_cases
from reasonmill.verify.quantities import compound, quantity
from reasonmill.verify.real_sets import same_real_set
from reasonmill.verify.stated import final_statement, last_words, short_answer
from reasonmill.verify.verdict import Verdict, not_run, scored
from reasonmill.verify.wording import same_wording, without_article

VERIFIER = "rules"
_SEPARATOR = re.compile(r",|;|\\pm|\\text\{|\\boxed|\b(?:and|or)\b|、|，|和|或")
_NO_GOLD = frozenset(("", "nan", "null", "none", "n/a", "na", "[]", "{}", "[deleted]", "undefined"))
_OPEN_BOX = re.compile(r"\\{1,2}(?:boxed|fbox)\s*\{")
# what stands around an answer in its box and is no part of it
_FRILLS = re.compile(
    r"^\s*(?:=|≈|∴|\\(?:approx|therefore|Rightarrow|implies)(?![a-zA-Z])|答案?[是为]?\s*[:：])\s*|[;；]\s*$"
    r"|^共(?=\d)|(?<=\d)\s+\([a-z]{3,}(?:\s[a-z]+)?\)$|(?P<kept>\.\d{6,})\s*(?:\.{3}|…|\\[lc]?dots)\s*$"
)
_CUT_BOX = re.compile(r"\\{1,2}(?:boxed|fbox)\s*\{[^\n$]*$")
_BOX_TAIL_CHARS = 400
_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}|[\u4e00-\u9fff]")
# a number that running text denies, or names as one of several, is no answer
_UNDECIDED = re.compile(
    r"(?:\bnot|\bcannot|n['’]t|\bnever|\bneither|\bnor)\b(?:(?!\bbut\b|\brather\b)[^.,;:=]){0,40}\.?$"
    r"|\b(?:could|may|might|maybe|perhaps|either|between)\b[^.]*\b(?:or|and)\b[^.]*\.?$",
    re.IGNORECASE,
)
_TELLS = re.compile(r"\d|\\[a-zA-Z]|\$|=")
_TRUTH = {"yes": "true", "no": "false", "是": "true", "否": "false", "correct": "true", "incorrect": "false"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A gold answer and an extracted answer that only algebra can compare. `running` is the end of an answer part
    without a box, in which algebra looks for an expression where the answer itself is not one.
    """

    gold: str
    answer: str
    running: str = ""


def check_answer(
    response: str, ground_truth: str | None, *, max_answer_chars: int, prompt: str = ""
) -> Verdict | list[Comparison]:
    """Verdict of the cheap rules, or the comparisons that are left: one that succeeds makes a pass.

    `ground_truth` may be a JSON list of texts: any of them is right. `prompt` may list options of a multiple choice.
    """
    golds = gold_answers(ground_truth)
    if not golds:
        return not_run("unverifiable_gold", verifier=VERIFIER, detail="the question has no ground truth")
    parts = split_response(response)
    if not parts.finished:
        return scored(0.0, verifier=VERIFIER, reason="unfinished")
    return check_part(parts.answer or "", golds, max_answer_chars=max_answer_chars, prompt=prompt)


def check_part(
    part: str, golds: tuple[str, ...], *, max_answer_chars: int, prompt: str = ""
) -> Verdict | list[Comparison]:
    """As `check_answer`, of a finished answer part and gold answers that are not empty."""
    answers, running = extract_answers(part)
    if not answers and not running:
        return scored(0.0, verifier=VERIFIER, reason="no_answer")
    left: list[Comparison] = []
    for gold in golds:
        several = _SEPARATOR.search(gold) is not None
        context = running if several or not _UNDECIDED.search(running) else ""
        for number, answer in enumerate(answers):
            if number > 0 and not several:
                break  # a run of boxes with words between is one answer only where one of several values is asked for
            if len(answer) > max(max_answer_chars, 2 * len(gold)):
                continue
            answer = _FRILLS.sub(lambda found: found["kept"] or "", answer) or answer
            same = decide(gold, answer, prompt)
            if same:
                return _verdict(True)
            if same is None:
                left.append(Comparison(gold=gold, answer=answer, running=context))
        if not answers and context:
            left.append(Comparison(gold=gold, answer="", running=context))
    if left:
        return left
    longest = max(map(len, answers), default=0)
    return _verdict(False, f"{longest} characters long" if longest > max_answer_chars else "")


def gold_answers(ground_truth: str | None) -> tuple[str, ...]:
    """The gold answers of a ground truth, any of which is right; empty where it holds none."""
    text = (ground_truth or "").strip()
    alternatives = [text]
    if text.startswith('["'):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
            alternatives = listed
    found = [extract_gold(one) for one in alternatives]
    return tuple(one for one in found if one.casefold() not in _NO_GOLD)


def extract_gold(ground_truth: str | None) -> str:
    r"""The gold answer itself: the last box or what follows `####` where the ground truth is a whole solution."""
    text = plain((ground_truth or "").strip())
    if "####" in text:
        text = text.rpartition("####")[2].strip()
    if "box" not in text:
        return text
    several, _ = boxed_list(text)
    boxed = several or last_boxed(text)
    if boxed is None:
        opened = list(_OPEN_BOX.finditer(text))
        return text[opened[-1].end() :].strip() if opened else text
    return boxed


def extract_answers(part: str) -> tuple[list[str], str]:
    """The answers of a finished answer part, the one that counts first, and the running text that may hold another."""
    boxes = find_boxes(part)
    if boxes:
        stated = final_statement(part[boxes[-1][1] :])
        if stated is not None:
            return [stated], ""
        several, certain = boxed_list(part)
        last = part[boxes[-1][0] : boxes[-1][1]].strip()
        if several is not None and certain:
            return [several], ""
        return [one for one in (last, several) if one], ""
    bare = last_boxed(part)
    if bare is not None:
        return [bare], ""
    if _CUT_BOX.search(part[-_BOX_TAIL_CHARS:]):
        return [], ""  # who knows what the rest would have been
    stated = short_answer(part) or final_statement(part)
    running = last_words(part)
    if not _WORD.search(running) or not _TELLS.search(running):
        running = ""
    return ([stated] if stated else []), running


def decide(gold: str, answer: str, prompt: str = "") -> bool | None:
    """Whether two extracted answers, neither empty, are the same by rule: letter, text, number, shape. None where only
    algebra can tell.
    """
    chosen = _decide_choice(gold, answer, prompt)
    if chosen is not None:
        return chosen
    if normal_form(gold) != normal_form(answer):
        for compare in (same_real_set, same_wording, _same_compound):
            same = compare(gold, answer)
            if same is not None:
                return same
    same = same_answer(gold, answer)
    if same is None:
        same = same_cases(gold, answer, same_answer)
    if same is None:
        same = _same_quantity(gold, answer)
    if same is not None:
        return same
    words, other = plain_words(gold), plain_words(answer)
    if words is not None:
        return other is not None and _meaning(words) == _meaning(other)
    return None


def _same_compound(gold: str, answer: str) -> bool | None:
    """Equality where one side is a number of several units, of which algebra would multiply the parts."""
    left, right = compound(gold), compound(answer)
    if left is None and right is None:
        return None
    one, two = left or quantity(gold), right or quantity(answer)
    return one is not None and two is not None and numbers_equal(one, two)


def _same_quantity(gold: str, answer: str) -> bool | None:
    """True for equal numbers with known units, however these are written."""
    left, right = quantity(gold), quantity(answer)
    return True if left is not None and right is not None and numbers_equal(left, right) else None


def _meaning(words: str) -> str:
    return _TRUTH.get(words, without_article(words))


def _decide_choice(gold: str, answer: str, prompt: str) -> bool | None:
    """Verdict of a multiple choice; None where gold is no letter and no letter stands for it."""
    right = choice(gold)
    given = choice(answer)
    options = options_of(prompt) if (right is None) != (given is None) else {}
    if right is not None and not re.fullmatch(r"[a-j]", unwrap(gold)):
        letter, text = right
        if given is not None:
            return given[0] == letter
        text = text or options.get(letter, "")
        if not text and "=" in answer:
            return None  # x = E
        return bool(text) and decide(text, answer) is True
    if given is not None and given[0] in options:
        return decide(options[given[0]], gold) is True or bool(given[1] and decide(gold, given[1]))
    if given is not None and given[1] and right is None:
        return decide(gold, given[1])
    return None


def _verdict(equal: bool, detail: str = "") -> Verdict:
    if equal:
        return scored(1.0, verifier=VERIFIER, reason="ok")
    return scored(0.0, verifier=VERIFIER, reason="wrong_answer", detail=detail)
