"""Verification: agreement with trusted labels, CPU time against plain Math-Verify on the same responses, and the pool.

REASONMILL_VERIFY_DATA names a folder of labelled responses (rows with gold, response, label and consensus); without it
the same is measured on responses made here, whose labels are right by construction.
"""

import asyncio
import os
from collections.abc import Iterator

from reasonmill.bench.figure import Figure, Scale
from reasonmill.bench.method import interleave
from reasonmill.bench.verify_pool import cpu_s, hard_inputs, pool_overhead
from reasonmill.bench.verify_rows import LabelledRow, labelled_rows
from reasonmill.verify import math_number, math_shape, math_text
from reasonmill.verify.answer_check import AnswerChecker
from reasonmill.verify.math_answer import Comparison
from reasonmill.verify.math_pool import MathPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import VerifySettings
from reasonmill.verify.verdict import Verdict

DATA = "REASONMILL_VERIFY_DATA"
ROUNDS: dict[Scale, int] = {"ci": 3, "node": 5}
_SETTINGS = VerifySettings(math_workers=1)


def measure(scale: Scale) -> Iterator[Figure]:
    """Figures of the math cascade and of the pool."""
    for name, rows in labelled_rows(os.environ.get(DATA, "")).items():
        yield from _against_math_verify(name, rows, ROUNDS[scale])
    yield from pool_overhead(ROUNDS[scale])
    yield from hard_inputs()


def _requests(rows: list[LabelledRow]) -> list[VerifyRequest]:
    return [
        VerifyRequest(id=str(n), category="math", prompt=row.question, response=row.response, ground_truth=row.gold)
        for n, row in enumerate(rows)
    ]


def _against_math_verify(name: str, rows: list[LabelledRow], rounds: int) -> Iterator[Figure]:
    """Agreement and CPU time of one set of responses. The cascade's time counts this process and its worker's."""
    requests = _requests(rows)
    trusted = [n for n, row in enumerate(rows) if row.trusted]
    loop = asyncio.new_event_loop()
    warm = loop.run_until_complete(_open(_SETTINGS))  # the worker lives on; verdicts are forgotten after each round
    _plain(rows[0])  # loads Math-Verify
    ours: list[Verdict] = []
    plain: list[bool] = []

    def cascade() -> None:
        ours[:] = loop.run_until_complete(_judge_all(warm, requests))

    def math_verify() -> None:
        plain[:] = [_plain(row) for row in rows]

    try:
        first = interleave(
            {"cascade": cascade, "math_verify": math_verify},
            rounds=1, warm_up=False, clock=lambda: cpu_s(warm.algebra.pids),
        )  # fmt: skip
        timings = interleave(
            {"cascade": cascade, "math_verify": math_verify},
            rounds=rounds,
            warm_up=False,
            clock=lambda: cpu_s(warm.algebra.pids),
        )
    finally:
        loop.run_until_complete(warm.algebra.close())
        loop.close()
    right = sum((ours[n].outcome == "pass") == rows[n].label for n in trusted)
    peer = sum(plain[n] == rows[n].label for n in trusted)
    detail: dict[str, int] = {"rows": len(rows), "trusted": len(trusted)}
    yield Figure(
        name=f"{name}_agreement", value=100 * right / len(trusted), unit="%", target=99.5, gated=True, tolerance=0.005,
        detail={**detail, "math_verify": 100 * peer / len(trusted), "cause of each miss": _misses(rows, ours)},
    )  # fmt: skip
    yield Figure(
        name=f"{name}_cpu_time_ratio_first_pass", value=first.ratio("math_verify", "cascade"), unit="x", target=5.0,
        detail={**detail, "why": "no cache of either side knows a row yet"},
    )  # fmt: skip
    yield timings.figure(f"{name}_cpu_time_ratio", "math_verify", "cascade", target=5.0, **detail)
    yield Figure(name=f"{name}_rate", value=len(rows) / timings.best("cascade"), unit="rows/CPU s")


def _misses(rows: list[LabelledRow], ours: list[Verdict]) -> list[str]:
    return [
        f"{verdict.reason}: label {row.label}"
        for row, verdict in zip(rows, ours, strict=True)
        if row.trusted and (verdict.outcome == "pass") != row.label
    ]


class _Warm:
    """Settings and a pool of algebra workers that outlives a round."""

    def __init__(self, settings: VerifySettings) -> None:
        self.settings = settings
        self.algebra = MathPool(settings)


async def _open(settings: VerifySettings) -> _Warm:
    warm = _Warm(settings)
    await warm.algebra.compare(Comparison(gold="x^2", answer="x^2+1-1"))
    return warm


async def _judge_all(warm: _Warm, requests: list[VerifyRequest]) -> list[Verdict]:
    for remembered in (math_text.normal_form, math_shape.shape_of, math_number.parse_number):
        remembered.cache_clear()
    checker = AnswerChecker(warm.settings, warm.algebra, None)
    return [await checker.check(request) for request in requests]


def _plain(row: LabelledRow) -> bool:
    """Math-Verify as its README has it: gold first, whole response, default time-outs."""
    from math_verify import parse, verify

    gold = row.gold if "$" in row.gold else f"${row.gold}$"
    return bool(verify(parse(gold), parse(row.response)))
