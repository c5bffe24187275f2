"""What an endpoint teacher makes of servers that work, and of every way in which they do not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.endpoint_teacher import open_endpoint
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, RequestRefused, TeacherFault
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.settings import TeacherSettings

Handler = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


@dataclass
class Fake:
    """An OpenAI server whose way of answering can be exchanged while it runs."""

    answer: Handler
    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "served", "owned_by": "someone"}])
    metrics: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    aborted: int = 0
    url: str = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        try:
            response = await self.answer(request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            self.aborted += 1
            raise
        if response.status == 200:
            self.finished.append(body["messages"][-1]["content"])
        return response

    async def list_models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": self.models})

    async def show_metrics(self, _: web.Request) -> web.Response:
        if self.metrics is None:
            raise web.HTTPNotFound
        return web.Response(text=self.metrics)


@asynccontextmanager
async def serving(fake: Fake, *, port: int = 0) -> AsyncIterator[Fake]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", fake.chat)
    app.router.add_get("/v1/models", fake.list_models)
    app.router.add_get("/metrics", fake.show_metrics)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield fake
    finally:
        await runner.cleanup()


def chunk(content: str | None = None, *, finish: str | None = None, **delta: str) -> bytes:
    if content is not None:
        delta["content"] = content
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"object": "chat.completion.chunk", "choices": [choice]}) + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = (chunk("<think>two"), chunk(" is two</think>"), chunk("2", finish="stop"), USAGE, DONE)


def stream(*pieces: bytes, pause_s: float = 0.0, cut: bool = False) -> Handler:
    async def answer(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(pause_s)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    return answer


def status(code: int, body: Any = "", **headers: str) -> Handler:
    async def answer(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=code, text=body, headers=headers)
        return web.json_response(body, status=code, headers=headers)

    return answer


def in_turn(*handlers: Handler) -> Handler:
    """The handlers one after the other, the last one for ever."""
    left = list(handlers)

    async def answer(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request, body)

    return answer


def request(text: str = "What is 1 + 1?", **options: Any) -> GenerationRequest:
    messages = (Message(role="user", content=text),)
    return GenerationRequest(query_id=text, number=1, seed=7, messages=messages, **options)


def with_teacher(fake: Fake, work: Callable[[ReplicaSet], Awaitable[Any]], **options: Any) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(30), serving(fake):
            settings = TeacherSettings(**{"name": "t", "kind": "endpoint", "base_url": fake.url, **options})
            async with open_endpoint(settings) as teacher:
                return await work(teacher)

    return asyncio.run(run())


def ask(fake: Fake, asked: GenerationRequest | None = None, **options: Any) -> Generation:
    async def work(teacher: ReplicaSet) -> Generation:
        return await teacher.generate(asked or request())

    answer = with_teacher(fake, work, **options)
    assert isinstance(answer, Generation)
    return answer


def test_an_answer_is_put_together_from_its_pieces() -> None:
    fake = Fake(stream(*WHOLE))
    answer = ask(fake, request(max_tokens=100), temperature=0.5, top_p=0.9, max_tokens=200, system_prompt="Think.")
    assert answer.text == "<think>two is two</think>2"
    assert (answer.finish_reason, answer.prompt_tokens, answer.completion_tokens) == ("stop", 5, 3)
    assert answer.replica == fake.url
    body = fake.asked[0]
    assert body["model"] == "served"
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
    assert (body["seed"], body["temperature"], body["top_p"], body["max_tokens"]) == (7, 0.5, 0.9, 100)
    assert "top_k" not in body


def test_bytes_may_arrive_in_any_pieces() -> None:
    whole = b": keep-alive\r\n\r\n" + b"".join(WHOLE).replace(b"two is", "zwei größer".encode()).replace(b"\n", b"\r\n")
    for size in (1, 3, 7, 1000):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert ask(Fake(stream(*pieces))).completion_tokens == 3


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_that_comes_apart_is_folded_back(key: str) -> None:
    pieces = (chunk(**{key: "a"}), chunk(**{key: "b"}), chunk("c"), chunk("d", finish="stop"), DONE)
    assert ask(Fake(stream(*pieces))).text == "<think>ab</think>cd"


def test_a_thinking_that_the_template_opened_is_opened_again() -> None:
    assert ask(Fake(stream(chunk("a</think>b", finish="stop"), DONE))).text == "<think>a</think>b"


def test_a_generation_prompt_is_continued_and_part_of_the_answer() -> None:
    fake = Fake(stream(chunk("x</think>y", finish="stop"), DONE))
    assert ask(fake, generation_prompt="<think>\n").text == "<think>\nx</think>y"
    assert fake.asked[0]["messages"][-1] == {"role": "assistant", "content": "<think>\n"}
    assert fake.asked[0]["continue_final_message"] is True


def test_a_server_that_does_not_stream_is_read_whole() -> None:
    message = {"role": "assistant", "content": "2", "reasoning_content": "hm"}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    usage = {"prompt_tokens": 4, "completion_tokens": 9}
    answer = ask(Fake(status(200, {"choices": [choice], "usage": usage})))
    assert (answer.text, answer.finish_reason, answer.completion_tokens) == ("<think>hm</think>2", "length", 9)


def test_a_vllm_server_is_asked_in_its_own_terms() -> None:
    models = [{"id": "served", "owned_by": "vllm", "max_model_len": 64}]
    full = status(400, {"error": {"message": "maximum context length is 64 tokens. However, you requested 90"}})
    fake = Fake(in_turn(full, stream(*WHOLE)), models=models)
    assert ask(fake, max_tokens=50).finish_reason == "stop"
    assert [body.get("max_tokens") for body in fake.asked] == [50, None]
    assert fake.asked[0]["stream_options"]["continuous_usage_stats"] is True


def test_the_key_is_sent_and_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(stream(*WHOLE))
    monkeypatch.setenv("SOME_KEY", "secret")
    ask(fake, api_key_env="SOME_KEY")
    assert fake.headers[0]["Authorization"] == "Bearer secret"
    monkeypatch.delenv("SOME_KEY")
    with pytest.raises(ValueError, match="api_key_env: the environment variable 'SOME_KEY' is not set"):
        ask(fake, api_key_env="SOME_KEY")


@pytest.mark.parametrize(
    "trouble",
    [
        status(500, "oops"),
        status(502, "<html>bad gateway</html>"),
        status(429, {"error": {"message": "slow down"}}),
        status(503, "", **{"Retry-After": "0"}),
        status(200, "", **{"Content-Type": "text/event-stream"}),
        status(200, "", **{"Content-Type": "application/json"}),
        status(200, "<html>maintenance</html>", **{"Content-Type": "text/html"}),
    ],
    ids=["500", "502", "429", "503", "empty_stream", "empty_json", "html"],
)
def test_what_was_turned_away_is_asked_again_without_the_asker(trouble: Handler) -> None:
    fake = Fake(in_turn(trouble, stream(*WHOLE)))
    assert ask(fake).finish_reason == "stop"
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (stream(chunk("half")), "without a finish_reason: half an answer"),
        (stream(chunk("half"), cut=True), "broke off"),
        (stream(chunk("half"), b'data: {"choices": [{"del\n\n'), "malformed piece"),
        (stream(chunk("half"), b"data: 7\n\n"), "no object"),
        (stream(chunk("half"), b'data: {"choices": "no"}\n\n'), "no chat completion"),
        (stream(chunk("half"), b'data: {"choices": [{"delta": {"content": 5}}]}\n\n'), "no chat completion"),
        (stream(chunk("half"), b'data: {"error": {"message": "CUDA gone", "code": 500}}\n\n'), "CUDA gone"),
        (status(200, {"error": {"message": "out of luck"}}), "out of luck"),
        (status(200, {"choices": [{"message": {"content": "half"}}]}), "without a finish_reason"),
    ],
    ids=["half", "cut", "json", "number", "choices", "content", "error", "error_object", "unfinished"],
)
def test_what_broke_off_midway_is_a_fault_that_costs_no_attempt(trouble: Handler, said: str) -> None:
    fake = Fake(in_turn(trouble, stream(*WHOLE)))

    async def work(teacher: ReplicaSet) -> Generation:
        with pytest.raises(TeacherFault, match=said) as fault:
            await teacher.generate(request())
        assert not getattr(fault.value, "final", False)
        return await teacher.generate(request())

    assert with_teacher(fake, work).text == "<think>two is two</think>2"


def test_a_stream_that_stalls_is_given_up() -> None:
    fake = Fake(stream(chunk("a"), chunk("b"), pause_s=20.0))
    with pytest.raises(TeacherFault, match="stalled"):
        ask(fake, stall_limit_s=0.3)
    assert fake.finished == []


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(TeacherFault, match=r"no whole answer in 0.5 s \(request_limit_s\)"):
        ask(Fake(stream(*[chunk("a")] * 200, pause_s=0.05)), request_limit_s=0.5)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_prompt_that_is_too_long_is_refused_in_the_servers_words(code: int) -> None:
    fake = Fake(status(code, {"error": {"message": "This model's maximum context length is 8 tokens"}}))
    with pytest.raises(RequestRefused, match="maximum context length is 8 tokens"):
        ask(fake)
    assert len(fake.asked) == 1


def test_a_bad_question_is_refused_and_a_bad_way_of_asking_ends_the_teacher() -> None:
    async def picky(http: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if body["messages"][0]["content"] == "bad":
            return web.json_response({"error": {"message": "content policy"}}, status=400)
        return await stream(*WHOLE)(http, body)

    with pytest.raises(RequestRefused, match="content policy"):
        ask(Fake(picky), request("bad"))
    with pytest.raises(TeacherLost, match=r"refuses every question.*Unrecognized argument: top_k"):
        ask(Fake(status(400, {"error": {"message": "Unrecognized argument: top_k"}})), top_k=20)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (status(401, {"error": {"message": "Incorrect API key"}}), r"wants a key.*api_key_env.*Incorrect API key"),
        (status(404, {"error": {"message": "no such route"}}), r"check base_url.*no such route"),
        (status(301, "", Location="https://elsewhere/"), r"check base_url.*points to https://elsewhere/"),
        (status(429, {"error": {"message": "quota", "code": "insufficient_quota"}}), "no quota left"),
    ],
    ids=["401", "404", "301", "quota"],
)
def test_what_only_the_user_can_mend_ends_the_teacher_at_once(trouble: Handler, said: str) -> None:
    fake = Fake(trouble)
    with pytest.raises(TeacherLost, match=said):
        ask(fake)
    assert len(fake.asked) == 1


def test_a_404_in_the_middle_of_a_run_is_a_server_that_restarts() -> None:
    fake = Fake(in_turn(stream(*WHOLE), status(404, "not yet"), stream(*WHOLE)))

    async def work(teacher: ReplicaSet) -> None:
        for _ in range(2):
            assert (await teacher.generate(request())).finish_reason == "stop"

    with_teacher(fake, work)
    assert len(fake.asked) == 3


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    with pytest.raises(TeacherLost, match=r"does not serve 'other'; it serves 'served'"):
        ask(Fake(stream(*WHOLE)), model="other")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://no-such-host.invalid:1/v1", "the name is not known"),
        ("http://127.0.0.1:{port}/v1", "Connect"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told_with_the_reason(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reasonmill.engine.teachers.endpoint_teacher.CONTACT_LIMIT_S", 0.5)
    with pytest.raises(TeacherLost, match=said):
        ask(Fake(stream(*WHOLE)), base_url=url.format(port=unused_port()))


def test_a_server_without_tls_at_an_https_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasonmill.engine.teachers.endpoint_teacher.CONTACT_LIMIT_S", 0.5)

    async def run() -> None:
        async with serving(Fake(stream(*WHOLE))) as fake:
            settings = TeacherSettings(name="t", kind="endpoint", base_url=fake.url.replace("http:", "https:"))
            with pytest.raises(TeacherLost, match="TLS fails"):
                async with open_endpoint(settings):
                    raise AssertionError("opened")

    asyncio.run(run())


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_cancelled_request_closes_its_connection_so_that_the_server_aborts() -> None:
    fake = Fake(stream(*[chunk("a")] * 1000, pause_s=0.02))

    async def work(teacher: ReplicaSet) -> None:
        asked = asyncio.ensure_future(teacher.generate(request()))
        await asyncio.sleep(0.3)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(0.3)
        assert fake.aborted == 1

    with_teacher(fake, work)


def test_a_loop_is_broken_off_in_the_stream_and_the_server_aborts() -> None:
    endless = [chunk("the same thing again. " * 4)] * 3000
    fake = Fake(stream(chunk("<think>Well. "), *endless, pause_s=0.0001))

    async def work(teacher: ReplicaSet) -> Generation:
        answer = await teacher.generate(request())
        await asyncio.sleep(0.2)
        return answer

    answer = with_teacher(fake, work, max_tokens=10_000)
    assert answer.finish_reason == "repetition"
    assert len(answer.text) < 7000
    assert answer.completion_tokens + answer.saved_tokens == 10_000
    assert fake.aborted == 1


def test_a_minute_of_500s_on_one_of_two_servers_loses_nothing_and_re_asks_nothing_that_finished() -> None:
    async def run() -> None:
        ill = Fake(status(500, "ill"))
        well = Fake(stream(*WHOLE, pause_s=0.001))
        async with asyncio.timeout(30), serving(ill), serving(well):
            settings = TeacherSettings(name="t", kind="endpoint", base_url=(ill.url, well.url))
            async with open_endpoint(settings) as teacher:
                asked = [request(f"question {i}") for i in range(300)]
                await asyncio.gather(*(teacher.generate(one) for one in asked))
        assert sorted(well.finished) == sorted(one.query_id for one in asked)
        assert len(ill.asked) < 60

    asyncio.run(run())
