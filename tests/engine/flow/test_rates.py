"""Rates of the live view, and what an accepted sample cost."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from reasonmill.engine.flow.costs import read_costs
from reasonmill.engine.flow.rates import Rates, remaining_s
from reasonmill.engine.records import Attempt, Message, Query
from reasonmill.engine.store import ledger
from reasonmill.engine.store.journal import Journal
from reasonmill.verify.verdict import scored


def test_a_rate_is_that_of_the_last_window():
    rates = Rates(window_s=10.0)
    assert rates.per_second("accepted") == 0.0
    for second in range(31):
        rates.note(float(second), {"accepted": second if second <= 15 else 15 + 5 * (second - 15)})
    assert rates.per_second("accepted") == pytest.approx(5.0)
    assert rates.per_second("unknown") == 0.0


def test_the_time_left_follows_the_pace_of_this_process():
    assert remaining_s(60, 100, done_before=40, elapsed_s=10.0) == pytest.approx(20.0)
    assert remaining_s(40, 100, done_before=40, elapsed_s=10.0) is None
    assert remaining_s(100, 100, done_before=40, elapsed_s=10.0) is None


def test_costs_count_every_token_that_was_paid_for(tmp_path):
    async def fill():
        async with Journal(tmp_path / "j.sqlite") as journal:
            for ordinal, (category, outcomes) in enumerate([("math", (0, 1)), ("math", (0, 0)), ("code", (1, 1))]):
                query = Query(
                    id=f"q{ordinal}", messages=(Message(role="user", content="?"),), category=category, source="t"
                )
                await journal.say(ledger.insert_query(ordinal, query))
                for number, good in enumerate(outcomes, start=1):
                    attempt = Attempt(
                        query_id=query.id, teacher="t", number=number, seed=1, text="x", finish_reason="stop",
                        prompt_tokens=1, completion_tokens=100 * number, duration_s=0.1, saved_tokens=7 * (1 - good),
                    )  # fmt: skip
                    verdict = scored(float(good), verifier="t", reason="ok" if good else "wrong_answer")
                    await journal.say(
                        ledger.insert_attempt(ordinal, attempt), ledger.judge(ordinal, attempt, verdict, {})
                    )
                accepted = outcomes.index(1) + 1 if 1 in outcomes else None
                await journal.say(ledger.settle(ordinal, "t", accepted, 2, "ok" if accepted else "wrong_answer"))

    asyncio.run(fill())
    with closing(sqlite3.connect(tmp_path / "j.sqlite")) as connection:
        code, math = read_costs(connection, "until_verified")
        every_code, every_math = read_costs(connection, "k_pass")
    assert (code["category"], code["tokens_per_accepted"], code["attempts_per_accepted"]) == ("code", 300.0, 2.0)
    assert (math["attempts"], math["accepted"], math["tokens_per_accepted"]) == (4, 1, 600.0)
    assert (math["accepted_tokens"], math["saved_tokens"]) == (200, 21)
    assert (every_code["accepted"], every_code["tokens_per_accepted"], every_code["accepted_tokens"]) == (2, 150.0, 300)
    assert every_math == math
