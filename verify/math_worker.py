r"""Compares gold and answer by algebra: Math-Verify behind guards, in a process of its own that may be killed at any
time. The only file that loads sympy. Run as `python -m reasonmill.verify.math_worker LIMIT_S MEMORY_MIB`.
"""

import logging
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from reasonmill.verify.worker_loop import OverLimit, bounded, serve

RELATIVE_TOLERANCE = 1e-4  # Math-Verify rounds to six decimals, so that 2**-99 equals 2**-98 for it
_WARM_UP = ((r"\sin(x)+1", r"1+\sin x"), ("1<x", "(1,2]"))
_WARM_UP_S = 60.0


def main() -> None:
    """Serve comparisons until the pipe ends."""
    limit_s, memory_mib = float(sys.argv[1]), int(sys.argv[2])

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if request.get("plain"):
            return judge_plain(request["gold"], request["answer"], limit_s)
        return judge(request["gold"], request["answer"], request["running"], limit_s)

    serve(answer, memory_mib=memory_mib, warm_up=_warm_up)


def _warm_up() -> None:
    """Load sympy and fill its tables: starting costs no comparison its time."""
    logging.disable(logging.WARNING)  # Math-Verify warns that its time-outs are off
    for gold, answer in _WARM_UP:
        judge(gold, answer, "", _WARM_UP_S)


def judge(gold: str, answer: str, running: str, limit_s: float) -> dict[str, Any]:
    """Within `limit_s` on the clock {"result", "detail"}, result being `equal`, `different`, `no_answer`, `bad_gold`,
    `gold_over_limit`, `over_limit` or `out_of_memory`. `running` is text in which the answer may stand where `answer`
    is none.
    """
    return _within(limit_s, lambda: _parse_gold(gold), lambda parsed: _compare(parsed, answer, running))


def judge_plain(gold: str, response: str, limit_s: float) -> dict[str, Any]:
    """As `judge`, by Math-Verify alone with its defaults: what everybody else does."""
    from math_verify import parse, verify

    def compare(parsed: Any) -> str:
        equal = verify(parsed, parse(response, parsing_timeout=None), timeout_seconds=None)
        return "equal" if equal else "different"

    return _within(limit_s, lambda: parse(gold if "$" in gold else f"${gold}$", parsing_timeout=None), compare)


def _within(limit_s: float, read_gold: Callable[[], Any], compare: Callable[[Any], str]) -> dict[str, Any]:
    stage = "gold"

    def work() -> dict[str, Any]:
        nonlocal stage
        parsed_gold = read_gold()
        if not parsed_gold:
            return {"result": "bad_gold", "detail": "the ground truth is no expression"}
        stage = "answer"
        return {"result": compare(parsed_gold), "detail": ""}

    try:
        return bounded(limit_s, work)
    except OverLimit:
        return {
            "result": "gold_over_limit" if stage == "gold" else "over_limit",
            "detail": f"{stage} over {limit_s:g} s",
        }
    except (MemoryError, RecursionError) as error:
        return {"result": "bad_gold" if stage == "gold" else "out_of_memory", "detail": type(error).__name__}


def _compare(gold: tuple[Any, ...], answer: str, running: str) -> str:
    parsed = _parse(answer) if answer and not _CUT_SHORT.search(answer) else []
    if _equal(gold, parsed):
        return "equal"
    if running:
        read = _parse_running(running)
        if _equal(gold, read):
            return "equal"
        parsed = parsed or read
    return "different" if parsed else "no_answer"


@lru_cache(maxsize=512)
def _parse_gold(gold: str) -> tuple[Any, ...]:
    return tuple(_parse(gold) or ([] if "$" not in gold else _expressions(_read(gold, boxed=False))))


def _parse(text: str) -> list[Any]:
    r"""Expressions of an extracted answer. In a box it is taken whole; without one, Math-Verify would settle for its
    last number.
    """
    expressions = _expressions(_read(f"\\boxed{{{text}}}", boxed=True))
    if not expressions and _WELL_DELIMITED.fullmatch(text):
        expressions = _expressions(_read(text, boxed=False))
    if not expressions:
        found = _read_plain(text)
        expressions = _expressions(found)
        if not _covers(text, found):
            return []
    return expressions


# Answers of which Math-Verify reads the beginning alone: 5!1 (3!7! is a product), 7_8, 60', 3 \to 4, 3#.
_CUT_SHORT = re.compile(r"!\s*\d+(?!\d*\s*!|\d)|\d\s*_\s*\{?\d|[\d})\]]\s*['′]|\\to(?![a-zA-Z])|[@#]")
_WELL_DELIMITED = re.compile(r"\s*(?:\$[^$]+\$|\\\(.+\\\)|\\\[.+\\\])\s*", re.DOTALL)


def _read(text: str, *, boxed: bool) -> list[Any]:
    from math_verify import LatexExtractionConfig, parse

    config = LatexExtractionConfig(boxed_match_priority=0) if boxed else LatexExtractionConfig()
    found: list[Any] = parse(text, extraction_config=[config], parsing_timeout=None)
    return found


def _read_plain(text: str) -> list[Any]:
    from math_verify import ExprExtractionConfig, parse

    found: list[Any] = parse(text, extraction_config=[ExprExtractionConfig()], parsing_timeout=None)
    return found


def _expressions(found: list[Any]) -> list[Any]:
    return [part for part in found if not isinstance(part, str)]


def _covers(text: str, found: list[Any]) -> bool:
    """Whether an extraction from running text took all of it and not a number at its end."""
    matched = [part for part in found if isinstance(part, str)]
    return bool(matched) and len(matched[0].strip()) >= 0.8 * len(text.strip())


_GLUED = re.compile(r"(?:[=+\-*/^<>({\[]\s*|[\w.,\\])$")


def _parse_running(text: str) -> list[Any]:
    """The expression in running text that Math-Verify takes for the answer, if it stands by itself there: the 0 of
    `3x-y+13=0` does not.
    """
    from math_verify import parse

    found: list[Any] = parse(text, parsing_timeout=None)
    matched = [part for part in found if isinstance(part, str)]
    if "$" not in text and "\\" not in text and matched:
        before = text[: text.rfind(matched[0])] if matched[0] in text else ""
        if _GLUED.search(before) and not _ASSIGNMENT.search(before):
            return []
    return _expressions(found)


_ASSIGNMENT = re.compile(r"(?:^|[\s(:])[a-zA-Z]\s*=\s*$")


def _equal(gold: tuple[Any, ...], answer: list[Any]) -> bool:
    from math_verify import verify

    if not answer or not verify(list(gold), answer, timeout_seconds=None, raise_on_error=False):
        return False
    return not any(_differ_in_size(a, b) or _is_implicit(a, b) for a in gold for b in answer)


def _is_implicit(gold: Any, answer: Any) -> bool:
    """Whether the answer is an equation `… = 0` of which Math-Verify takes the zero for the gold's number."""
    from sympy import Eq, Expr

    if not (isinstance(gold, Expr) and gold.is_zero and isinstance(answer, Eq)):
        return False
    return not answer.lhs.is_Symbol and bool(answer.lhs.free_symbols)


def _differ_in_size(gold: Any, answer: Any) -> bool:
    """Whether both are numbers and further apart than rounding explains."""
    from sympy import Expr

    if not (isinstance(gold, Expr) and isinstance(answer, Expr) and gold.is_number and answer.is_number):
        return False
    left, right = gold.evalf(20), answer.evalf(20)
    if not (left.is_Number and right.is_Number and left.is_finite and right.is_finite):
        return False
    return bool(abs(left - right) > RELATIVE_TOLERANCE * max(abs(left), abs(right)))


if __name__ == "__main__":
    main()
