r"""Compares gold and answer by algebra: Math-Verify behind guards, in a process of its own that may be killed at any
time. The only file that loads sympy. Run as `python -m reasonmill.verify.math_worker LIMIT_S MEMORY_MIB`.

Reads and writes JSON messages with an 8-byte length in front. An overrun is reported, with the CPU time that it used,
if the interpreter still reacts; if it does not, the parent ends the process, and at the very last the kernel does.
"""

import json
import logging
import math
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from types import FrameType
from typing import Any, BinaryIO

from reasonmill.verify.lifeline import die_with_parent

RELATIVE_TOLERANCE = 1e-4  # Math-Verify rounds to six decimals, so that 2**-99 equals 2**-98 for it
_SECONDS_TO_REPORT = 1.0  # after the alarm
_REPEAT_ALARM_S = 0.25  # sympy catches exceptions in places: the alarm rings again until one gets through


_WARM_UP = ((r"\sin(x)+1", r"1+\sin x"), ("1<x", "(1,2]"))
_WARM_UP_S = 60.0


class OverLimit(BaseException):
    """The comparison took too long. Not an Exception, so that sympy's own handlers let it pass."""


def main() -> None:
    """Serve comparisons until the pipe ends."""
    die_with_parent()
    limit_s, memory_mib = float(sys.argv[1]), int(sys.argv[2])
    requests, replies = _take_over_streams()
    _bound_memory(memory_mib)
    signal.signal(signal.SIGALRM, _ring)
    logging.disable(logging.WARNING)  # Math-Verify warns that its time-outs are off
    for gold, answer in _WARM_UP:  # loads sympy and fills its tables: starting costs no comparison its time
        judge(gold, answer, "", _WARM_UP_S)
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    _reply(replies, {"ready": os.getpid()})
    while header := requests.read(8):
        request = json.loads(requests.read(int.from_bytes(header, "little")))
        began_s = time.process_time()
        if request.get("plain"):
            told = judge_plain(request["gold"], request["answer"], limit_s)
        else:
            told = judge(request["gold"], request["answer"], request["running"], limit_s)
        ended_s = time.process_time()
        _reply(replies, told | {"rss": _resident(statm), "cpu_s": ended_s - began_s, "cpu_before_s": ended_s})


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """The parent's pipes; what libraries print goes nowhere."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return requests, replies


def _bound_memory(memory_mib: int) -> None:
    limit = memory_mib * 2**20
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _reply(stream: BinaryIO, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode("ascii")
    stream.write(len(body).to_bytes(8, "little") + body)
    stream.flush()


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise OverLimit


def _resident(statm: int) -> int:
    """Bytes of memory that this process holds; `statm` is /proc/self/statm, open."""
    return int(os.pread(statm, 64, 0).split()[1]) * resource.getpagesize()


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
    _die_at(time.process_time() + limit_s + _SECONDS_TO_REPORT)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _REPEAT_ALARM_S)
    try:
        parsed_gold = read_gold()
        if not parsed_gold:
            return {"result": "bad_gold", "detail": "the ground truth is no expression"}
        stage = "answer"
        return {"result": compare(parsed_gold), "detail": ""}
    except OverLimit:
        return {
            "result": "gold_over_limit" if stage == "gold" else "over_limit",
            "detail": f"{stage} over {limit_s:g} s",
        }
    except (MemoryError, RecursionError) as error:
        return {"result": "bad_gold" if stage == "gold" else "out_of_memory", "detail": type(error).__name__}
    finally:
        _silence_alarm()


def _die_at(cpu_s: float) -> None:
    """Let the kernel end this process at that CPU time: a single huge operation hears no alarm, and a parent that was
    stopped ends nobody.
    """
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _silence_alarm() -> None:
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            return
        except OverLimit:
            continue


def _compare(gold: tuple[Any, ...], answer: str, running: str) -> str:
    parsed = _parse(answer) if answer else []
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
