"""What an endpoint teacher makes of responses that are nearly right: byte for byte, as odd servers and proxies send
them.
"""

import asyncio
import gzip
from collections.abc import Iterable
from contextlib import asynccontextmanager

import orjson
import pytest

from reasonmill.engine.records import Message
from reasonmill.engine.teachers.endpoint_teacher import open_endpoint
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.protocol import GenerationRequest, RequestRefused, TeacherFault
from reasonmill.engine.teachers.settings import TeacherSettings

MODELS = b'{"object": "list", "data": [{"id": "served"}]}'
JSON, EVENTS = "application/json", "text/event-stream"


def response(body=b"", *, status=200, kind=EVENTS, length=None, **headers):
    """The bytes of a whole response."""
    named = {"Content-Type": kind, "Content-Length": str(len(body) if length is None else length)}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Odd\r\n{head}\r\n".encode() + body


def event(content):
    return b"data: " + orjson.dumps(content) + b"\n\n"


def piece(text="", *, finish=None, index=0, **more):
    return event({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}], **more})


def whole(text="<think>so</think>2", *, finish="stop", **more):
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return orjson.dumps({"choices": [choice], **more})


DONE = b"data: [DONE]\n\n"
GOOD = piece("<think>so</think>") + piece("2", finish="stop") + DONE
RIGHT = response(GOOD)


@asynccontextmanager
async def saying(responses: Iterable[bytes]):
    """The address of a server that gives these responses to questions, the last one for ever, and how many it got."""
    left, asked = list(responses), []

    async def answer(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"/chat/completions" in head:
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"Content-Length" in line)
                asked.append(orjson.loads(await reader.readexactly(length)))
                writer.write(left.pop(0) if len(left) > 1 else left[0])
            elif b"/models" in head:
                writer.write(response(MODELS, kind=JSON))
            else:
                writer.write(response(status=404))
            await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", asked


def ask(*responses, **options):
    """The answer to one question, and how often it was asked."""

    async def run():
        async with asyncio.timeout(20), saying(responses) as (url, asked):
            settings = TeacherSettings(name="t", kind="endpoint", base_url=url, **options)
            async with open_endpoint(settings) as teacher:
                messages = (Message(role="user", content="What is 1 + 1?"),)
                request = GenerationRequest(query_id="q", number=1, seed=7, messages=messages)
                return await teacher.generate(request), len(asked)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "good",
    [
        response(gzip.compress(GOOD), Content_Encoding="gzip"),
        response(gzip.compress(whole()), kind=JSON, Content_Encoding="gzip"),
        response(whole(), kind="application/json; charset=utf-8"),
        response(piece("<think>so</think>") + piece("2", finish="stop")),  # no [DONE]
        response(piece("<think>so</think>") + piece("2", finish="stop").rstrip()),  # nor an empty line at the end
        response(piece("<think>so</think>", finish="") + piece("2", finish="") + piece(finish="stop") + DONE),
        response(piece("<think>so</think>") + piece("other", index=1) + piece("2", finish="stop") + DONE),
        response(b"event: message\nid: 7\nretry: 10\n" + GOOD),
        response(piece("<think>so</think>", usage=None) + piece("2", finish="stop", usage={}) + DONE),
        response(piece("<think>so</think>2", finish="stop", usage={"prompt_tokens": None, "completion_tokens": -3})),
        response(piece("<think>so</think>2", finish="stop") + event({"choices": None, "usage": "none"}) + DONE),
    ],
)
def test_what_is_oddly_packed_and_whole_is_an_answer(good):
    answer, asked = ask(good)
    assert (answer.text, answer.finish_reason, asked) == ("<think>so</think>2", "stop", 1)


def test_tokens_that_no_server_counted_are_about_as_many_as_the_text_has():
    text = f"<think>{'so it is ' * 400}</think>2"
    assert ask(response(whole(text), kind=JSON))[0].completion_tokens == len(text) // 4
    pieces = b"".join(piece(character) for character in text[:200])
    assert ask(response(pieces + piece(finish="stop")))[0].completion_tokens == 200


@pytest.mark.parametrize(
    "trouble",
    [
        response(whole(), kind="text/plain"),
        response(GOOD, kind="application/octet-stream"),
        response(status=204),
        response(event({"error": {"message": "no room", "code": 429}})),
        response(orjson.dumps({"error": {"message": "upstream", "code": "502"}}), kind=JSON),
        response(piece() + event({"error": {"message": "engine dead", "code": 500}})),
        response(event({"object": "error", "message": "busy", "code": "rate_limited", "status": 429})),
        response(b"slow down", status=429, Retry_After="-5"),
        response(b"slow down", status=503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
        response(b"slow down", status=429, Retry_After="soon"),
        b"HTTP/1.1 OK\r\n\r\n",
        b"",
    ],
)
def test_what_holds_nothing_of_an_answer_is_asked_again_by_itself(trouble):
    answer, asked = ask(trouble, RIGHT)
    assert (answer.text, asked) == ("<think>so</think>2", 2)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (response(GOOD, Content_Encoding="gzip"), "broke off"),  # it is not what it says
        (response(gzip.compress(GOOD)[:-20], Content_Encoding="gzip", length=10**6), "broke off|half an answer"),
        (response(GOOD[:-60], length=10**6), "broke off"),
        (response(piece("<think>so") + DONE), "without a finish_reason"),
        (response(piece("<think>so") + piece(finish="abort") + DONE), "broke the answer off"),
        (response(whole(finish="error"), kind=JSON), "broke the answer off"),
        (response(whole(finish=None), kind=JSON), "without a finish_reason"),
        (response(piece("<think>so", finish="") + DONE), "without a finish_reason"),
        (response(piece("<think>so") + event({"error": {"message": "CUDA gone", "code": 500}})), "CUDA gone"),
        (response(whole()[:-9], kind=JSON), "malformed response"),
    ],
)
def test_half_an_answer_is_a_fault_and_never_an_answer(trouble, said):
    with pytest.raises(TeacherFault, match=said) as fault:
        ask(trouble)
    assert not getattr(fault.value, "final", False)


def test_an_error_under_200_is_what_its_status_says():
    with pytest.raises(RequestRefused, match="maximum context length"):
        ask(response(event({"error": {"message": "maximum context length is 8 tokens", "code": 400}})))
    with pytest.raises(TeacherLost, match="api_key_env"):
        ask(response(orjson.dumps({"error": {"message": "no key", "code": 401}}), kind=JSON))


def test_a_redirect_is_followed_nowhere():
    for status in (301, 307, 308):
        with pytest.raises(TeacherLost, match="points to http://elsewhere/"):
            ask(response(status=status, Location="http://elsewhere/"))
