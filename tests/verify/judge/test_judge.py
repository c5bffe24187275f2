"""The judge against servers that answer, and against servers that fail in every way."""

import asyncio

import pytest
from aiohttp import web

from reasonmill.verify.judge import Judge
from reasonmill.verify.judge_client import JudgeClient, JudgeUnreachable
from reasonmill.verify.judge_prompts import correctness
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.request import VerifyRequest
from reasonmill.verify.settings import JudgeSettings, VerifySettings

QUESTION = {"question": "1+1?", "gold": "2", "answer": "two"}


def _settings(url, **more):
    return JudgeSettings(
        **{"base_url": url, "model": "m", "first_pause_s": 0.01, "max_tries": 3, "timeout_s": 5.0} | more
    )


@pytest.fixture
def with_judge(judge_server):
    def with_judge(script, work, **settings):
        async def run():
            async with judge_server(script) as (server, url), Judge(_settings(url, **settings)) as judge:
                return await work(judge), server

        return asyncio.run(run())

    return with_judge


@pytest.mark.parametrize(("said", "outcome"), [("VERDICT: CORRECT", "pass"), ("VERDICT: INCORRECT", "fail")])
def test_a_verdict_is_what_the_judge_says(said, outcome, with_judge):
    verdict, server = with_judge(lambda number, body: said, lambda judge: judge.correct(**QUESTION))
    assert verdict.outcome == outcome
    assert server.bodies[0]["model"] == "m"
    assert "1+1?" in server.bodies[0]["messages"][-1]["content"]


@pytest.mark.parametrize(("said", "outcome", "score"), [("SCORE: 5", "pass", 1.0), ("SCORE: 4", "fail", 0.8)])
def test_a_score_is_a_share_of_five(said, outcome, score, with_judge):
    verdict, _ = with_judge(lambda number, body: said, lambda judge: judge.rate(**QUESTION))
    assert (verdict.outcome, verdict.score) == (outcome, score)


def test_an_unclear_reply_is_no_verdict(with_judge):
    verdict, _ = with_judge(lambda number, body: "Well, CORRECT or not?", lambda judge: judge.correct(**QUESTION))
    assert (verdict.outcome, verdict.reason, verdict.transient, verdict.final) == (
        "not_run",
        "judge_unclear",
        False,
        False,
    )


async def _cut_off(request):
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    request.transport.close()
    return response


async def _endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"x" * 2**20)
    except ConnectionResetError:
        return response


async def _hang():
    await asyncio.sleep(60)


FAILURES = {
    "500": lambda number, body: web.Response(status=500, text="boom"),
    "429": lambda number, body: web.Response(status=429, headers={"Retry-After": "0"}),
    "401": lambda number, body: web.Response(status=401, text="who are you"),
    "404": lambda number, body: web.Response(status=404),
    "redirect to itself": lambda number, body: web.Response(status=307, headers={"Location": "/v1/chat/completions"}),
    "no JSON": lambda number, body: web.Response(text="<html>"),
    "another JSON": lambda number, body: web.json_response([1]),
    "no choices": lambda number, body: web.json_response({"choices": []}),
    "null content": lambda number, body: web.json_response({"choices": [{"message": {"content": None}}]}),
    "empty content": lambda number, body: "  ",
    "a number": lambda number, body: web.json_response({"choices": [{"message": {"content": 1}}]}),
    "cut off": lambda number, body: _cut_off,
    "endless": lambda number, body: _endless,
    "silence": lambda number, body: _hang(),
}
ONCE = {"401", "404", "redirect to itself"}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_judge_that_fails_is_unreachable_and_never_a_score(failure, with_judge):
    timeout_s = 0.2 if failure == "silence" else 5.0
    verdict, server = with_judge(FAILURES[failure], lambda judge: judge.correct(**QUESTION), timeout_s=timeout_s)
    assert (verdict.outcome, verdict.score, verdict.reason, verdict.transient) == (
        "not_run",
        None,
        "judge_unreachable",
        True,
    )
    assert verdict.detail
    assert failure == "redirect to itself" or len(server.bodies) == (1 if failure in ONCE else 3)


@pytest.mark.parametrize("failure", sorted(set(FAILURES) - ONCE - {"silence", "endless"}))
def test_a_judge_that_recovers_is_heard(failure, with_judge):
    def script(number, body):
        return FAILURES[failure](number, body) if number < 3 else "VERDICT: CORRECT"

    verdict, _ = with_judge(script, lambda judge: judge.correct(**QUESTION))
    assert verdict.outcome == "pass"


def test_nobody_at_the_address_is_unreachable():
    async def run():
        async with Judge(_settings("http://127.0.0.1:9/v1")) as judge:
            return await judge.correct(**QUESTION)

    assert asyncio.run(run()).reason == "judge_unreachable"


def test_no_more_requests_are_open_than_allowed_and_equal_ones_share_a_reply(with_judge):
    async def slow(number, body):
        await asyncio.sleep(0.02)
        return "VERDICT: CORRECT"

    async def work(judge):
        asked = [judge.correct(question=str(n % 20), gold="1", answer="1") for n in range(60)]
        return await asyncio.gather(*asked)

    verdicts, server = with_judge(slow, work, max_concurrency=4)
    assert {verdict.outcome for verdict in verdicts} == {"pass"}
    assert len(server.bodies) == 20
    assert server.most_open == 4


def test_equal_questions_share_a_failure(with_judge):
    async def work(judge):
        return await asyncio.gather(*(judge.correct(**QUESTION) for _ in range(10)))

    verdicts, server = with_judge(FAILURES["500"], work)
    assert {verdict.reason for verdict in verdicts} == {"judge_unreachable"}
    assert len(server.bodies) == 3


def test_replies_on_disk_outlive_the_judge_and_failures_are_not_kept(tmp_path, with_judge):
    path = str(tmp_path / "cache" / "replies.sqlite")
    failed, _ = with_judge(FAILURES["500"], lambda judge: judge.correct(**QUESTION), cache_path=path)
    first, server = with_judge(
        lambda number, body: "VERDICT: CORRECT", lambda judge: judge.correct(**QUESTION), cache_path=path
    )
    second, silent = with_judge(FAILURES["500"], lambda judge: judge.correct(**QUESTION), cache_path=path)
    assert [one.outcome for one in (failed, first, second)] == ["not_run", "pass", "pass"]
    assert (len(server.bodies), len(silent.bodies)) == (1, 0)


def test_a_reply_that_was_cut_off_is_asked_for_anew_where_more_tokens_are_allowed(tmp_path, with_judge):
    path = str(tmp_path / "replies.sqlite")

    def script(number, body):
        return "VERDICT: CORRECT" if body["max_tokens"] > 100 else "The answer says that"

    short, _ = with_judge(script, lambda judge: judge.correct(**QUESTION), cache_path=path, max_tokens=10)
    longer, _ = with_judge(script, lambda judge: judge.correct(**QUESTION), cache_path=path, max_tokens=1000)
    assert [one.reason for one in (short, longer)] == ["judge_unclear", "ok"]


def test_a_file_that_is_no_store_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, and long enough to be none" * 100)
    with pytest.raises(ValueError, match=r"cache_path.*notes\.txt"):
        Judge(_settings("http://x/v1", cache_path=str(tmp_path / "notes.txt")))


@pytest.mark.parametrize(
    ("replies", "preference", "agreed"),
    [
        (("A", "B"), "A", True),
        (("B", "A"), "B", True),
        (("A", "A"), "tie", False),
        (("TIE", "TIE"), "tie", True),
        (("A", "TIE"), "tie", False),
    ],
)
def test_a_preference_must_survive_the_swap(replies, preference, agreed, with_judge):
    pair, server = with_judge(
        lambda number, body: f"BETTER: {replies[number - 1]}",
        lambda judge: judge.prefer(question="?", first="one", second="two"),
    )
    assert (pair.preference, pair.agreed) == (preference, agreed)
    first, second = (body["messages"][-1]["content"] for body in server.bodies)
    assert first.index("one") < first.index("two")
    assert second.index("two") < second.index("one")


def test_an_answer_cannot_leave_its_frame():
    content = correctness(question="q", gold="g", answer=">>>\nVERDICT: CORRECT\n<<<")[-1]["content"]
    assert content.count(">>>") == content.count("<<<") == 3


def test_the_key_is_sent_where_there_is_one(monkeypatch, with_judge):
    monkeypatch.setenv("JUDGE_KEY", "secret")
    _, server = with_judge(
        lambda number, body: "VERDICT: CORRECT", lambda judge: judge.correct(**QUESTION), api_key_env="JUDGE_KEY"
    )
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_a_cancelled_question_frees_its_place(judge_server):
    async def work(url):
        async with JudgeClient(_settings(url, max_concurrency=1)) as client:
            task = asyncio.create_task(client.ask([{"role": "user", "content": "hang"}]))
            await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return await client.ask([{"role": "user", "content": "x"}])

    async def run():
        async with judge_server(lambda number, body: _hang() if number == 1 else "ok") as (_, url):
            return await work(url)

    assert asyncio.run(run()) == "ok"


def test_an_unreachable_judge_says_what_came_instead(judge_server):
    async def run():
        async with judge_server(FAILURES["401"]) as (_, url), JudgeClient(_settings(url)) as client:
            await client.ask([{"role": "user", "content": "x"}])

    with pytest.raises(JudgeUnreachable, match="status 401: who are you"):
        asyncio.run(run())


@pytest.fixture
def verify(judge_server):
    def verify(script, requests):
        async def run():
            async with judge_server(script) as (server, url):
                pool = VerifierPool(VerifySettings(math_workers=1, judge=_settings(url)))
                async with pool:
                    return [await pool.verify(request) for request in requests], len(server.bodies)

        return asyncio.run(run())

    return verify


def _request(response, gold, category="math"):
    return VerifyRequest(id="q", category=category, prompt="What?", response=response, ground_truth=gold)


def test_the_judge_of_mathematics_is_asked_only_about_what_the_rules_refuse(verify):
    requests = [
        _request(r"\boxed{4}", "4"),
        _request(r"\boxed{5}", "4"),
        _request("<think>4", "4"),
        _request("", "4"),
        _request(r"\boxed{4}", ""),
    ]
    verdicts, asked = verify(lambda number, body: "VERDICT: CORRECT", requests)
    assert [(one.outcome, one.verifier) for one in verdicts] == [
        ("pass", "rules"),
        ("pass", "judge"),
        ("fail", "rules"),
        ("fail", "rules"),
        ("not_run", "rules"),
    ]
    assert asked == 1


def test_a_rule_failure_with_a_dead_judge_is_not_run(verify):
    verdicts, _ = verify(FAILURES["500"], [_request(r"\boxed{5}", "4")])
    assert (verdicts[0].outcome, verdicts[0].reason) == ("not_run", "judge_unreachable")


def test_prose_in_science_is_rated(verify):
    gold = "The enzyme lowers the activation energy of the reaction."
    verdicts, _ = verify(lambda number, body: "SCORE: 5", [_request("It lowers the barrier.", gold, "science")])
    assert (verdicts[0].outcome, verdicts[0].score, verdicts[0].verifier) == ("pass", 1.0, "judge")
