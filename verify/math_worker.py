r"""Compares gold and answer by algebra: Math-Verify behind guards, in a process of its own that may be killed at any
time. The only file that loads sympy. Run as `python -m reasonmill.verify.math_worker LIMIT_S MEMORY_MIB`.

Reads and writes JSON messages with an 8-byte length in front. The limit is CPU time, so that a busy machine judges like
an idle one. An overrun is reported if the interpreter still reacts; if it does not, the kernel ends the process, and at
the very last its parent does.
"""

import json
import math
import os
import resource
import signal
import sys
import time
from functools import lru_cache
from types import FrameType
from typing import Any, BinaryIO

from reasonmill.verify.lifeline import die_with_parent

RELATIVE_TOLERANCE = 1e-4  # Math-Verify rounds to six decimals, so that 2**-99 equals 2**-98 for it
_SECONDS_TO_REPORT = 1.0  # of CPU time after the alarm
_REPEAT_ALARM_S = 0.25  # sympy catches exceptions in places: the alarm rings again until one gets through


class OverLimit(BaseException):
    """The comparison took too long. Not an Exception, so that sympy's own handlers let it pass."""


def main() -> None:
    """Serve comparisons until the pipe ends."""
    die_with_parent()
    limit_s, memory_mib = float(sys.argv[1]), int(sys.argv[2])
    requests, replies = _take_over_streams()
    _bound_memory(memory_mib)
    import math_verify  # noqa: F401  # loaded before the first message: starting costs no comparison its time

    signal.signal(signal.SIGPROF, _ring)
    _reply(replies, {"ready": os.getpid()})
    while header := requests.read(8):
        request = json.loads(requests.read(int.from_bytes(header, "little")))
        _reply(replies, judge(request["gold"], request["answer"], limit_s))


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


def judge(gold: str, answer: str, limit_s: float) -> dict[str, Any]:
    """{"result": "equal" | "different" | "bad_gold" | "over_limit", "detail"}, within `limit_s` of CPU time."""
    stage = "gold"
    _die_at(time.process_time() + limit_s + _SECONDS_TO_REPORT)
    signal.setitimer(signal.ITIMER_PROF, limit_s, _REPEAT_ALARM_S)
    try:
        parsed_gold = _parse_gold(gold)
        if not parsed_gold:
            return {"result": "bad_gold", "detail": "the ground truth is no expression"}
        stage = "answer"
        equal = _equal(parsed_gold, _parse(answer))
        return {"result": "equal" if equal else "different", "detail": ""}
    except OverLimit:
        return {"result": "bad_gold" if stage == "gold" else "over_limit", "detail": f"{stage} over {limit_s:g} s"}
    except (MemoryError, RecursionError) as error:
        return {"result": "bad_gold" if stage == "gold" else "over_limit", "detail": type(error).__name__}
    finally:
        _silence_alarm()


def _die_at(cpu_s: float) -> None:
    """Let the kernel end this process at that CPU time: a single huge operation hears no alarm."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = math.ceil(cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _silence_alarm() -> None:
    while True:
        try:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            return
        except OverLimit:
            continue


@lru_cache(maxsize=512)
def _parse_gold(gold: str) -> tuple[Any, ...]:
    return tuple(_parse(gold))


def _parse(text: str) -> list[Any]:
    r"""Expressions of an extracted answer. In a box it is taken whole; without one, Math-Verify would settle for its
    last number.
    """
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    found: list[Any] = parse(
        f"\\boxed{{{text}}}", extraction_config=[LatexExtractionConfig(boxed_match_priority=0)], parsing_timeout=None
    )
    expressions = [part for part in found if not isinstance(part, str)]
    if not expressions:
        found = parse(text, extraction_config=[ExprExtractionConfig()], parsing_timeout=None)
        expressions = [part for part in found if not isinstance(part, str)]
        if not _covers(text, found):
            return []
    return expressions


def _covers(text: str, found: list[Any]) -> bool:
    """Whether an extraction from running text took all of it and not a number at its end."""
    matched = [part for part in found if isinstance(part, str)]
    return bool(matched) and len(matched[0].strip()) >= 0.8 * len(text.strip())


def _equal(gold: tuple[Any, ...], answer: list[Any]) -> bool:
    from math_verify import verify

    if not answer or not verify(list(gold), answer, timeout_seconds=None, raise_on_error=False):
        return False
    return not any(_differ_in_size(a, b) for a in gold for b in answer)


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
