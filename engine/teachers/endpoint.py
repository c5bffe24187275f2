"""One OpenAI-compatible server as a replica: `/v1/chat/completions`, streamed. It asks once; whether and where a
request is asked again is the set's affair (replica_set.py). Every request ends: answered, refused, or with a fault.

Nothing that arrives is taken for an answer unless the server says how it finished: a stream that ends early, stalls,
holds malformed JSON or an error is a TeacherFault; an empty or foreign response is NotTaken (endpoint_errors.py has the
statuses). A cancelled request closes its connection, which makes the server abort it.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any

import orjson

from reasonmill.engine.teachers.chat_stream import ChatStream, SaidError
from reasonmill.engine.teachers.endpoint_errors import REFUSING, PlainRefusal, about_length, error_of
from reasonmill.engine.teachers.faults import NotTaken, TeacherLost
from reasonmill.engine.teachers.http_client import HttpClient, HttpStream, Response
from reasonmill.engine.teachers.loop_breaker import Break, LoopBreaker, saved_tokens
from reasonmill.engine.teachers.loop_settings import LoopBreakerSettings
from reasonmill.engine.teachers.prompts import with_system_prompt
from reasonmill.engine.teachers.protocol import (
    Generation,
    GenerationRequest,
    ReplicaLoad,
    RequestRefused,
    TeacherFault,
)
from reasonmill.engine.teachers.server_load import parse_load
from reasonmill.engine.teachers.sse import EventReader

_LOOK_LIMIT_S = 15.0  # for /v1/models and /metrics


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointSettings:
    """What a server is asked for. Sampling fields as in TeacherSettings."""

    model: str | None  # None: the first that /v1/models names
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    system_prompt: str | None
    generation_prompt: str
    max_num_seqs: int
    request_limit_s: float
    key_name: str | None  # environment variable that the key came from, for messages
    loop_breaker: LoopBreakerSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class _Server:
    model: str
    is_vllm: bool  # takes vLLM's extensions of the API
    max_model_len: int | None


class EndpointReplica:
    """A server at `base_url`, which ends where `/chat/completions` begins (`http://host:8000/v1`)."""

    def __init__(self, base_url: str, settings: EndpointSettings, client: HttpClient) -> None:
        self._base = base_url.rstrip("/")
        self._settings = settings
        self._client = client
        self._server: _Server | None = None
        self._answered = False
        self._without_metrics = False

    @property
    def name(self) -> str:
        """Its address."""
        return self._base

    @property
    def max_num_seqs(self) -> int:
        """The most requests that it is ever given at once."""
        return self._settings.max_num_seqs

    async def load(self) -> ReplicaLoad | None:
        """How full it is; None where it has no page of metrics. Raises TeacherFault where it cannot be reached."""
        if not self._without_metrics:
            response = await self._client.get(self._base.removesuffix("/v1") + "/metrics", limit_s=_LOOK_LIMIT_S)
            load = parse_load(response.body) if response.status == 200 else None
            if load is not None:
                return load
            if response.status >= 500:
                raise NotTaken(f"/metrics: {response.status} {response.text}")
            self._without_metrics = True
        response = await self._client.get(self._base + "/models", limit_s=_LOOK_LIMIT_S)
        if response.status >= 500:
            raise NotTaken(f"/models: {response.status} {response.text}")
        return None

    async def discover(self) -> None:
        """Learn what is served. Raises TeacherFault, TeacherLost where it has to be mended."""
        if self._server is None:
            response = await self._client.get(self._base + "/models", limit_s=_LOOK_LIMIT_S)
            self._server = self._read_models(response)

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Cancelling closes the connection. Raises TeacherFault, NotTaken, TeacherLost, RequestRefused."""
        limit_s = self._settings.request_limit_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._generate(request)
        except TimeoutError:
            raise TeacherFault(f"no whole answer in {limit_s:g} s (request_limit_s)") from None

    async def _generate(self, request: GenerationRequest) -> Generation:
        await self.discover()
        assert self._server is not None, "discovered"
        cap: int | None = min(self._settings.max_tokens, request.max_tokens or self._settings.max_tokens)
        if self._server.max_model_len is not None and cap is not None and cap >= self._server.max_model_len:
            cap = None  # to the end of the context
        try:
            return await self._ask(request, self._server, cap)
        except PlainRefusal as refusal:
            await self._check_plain_question(refusal)
            raise
        except RequestRefused as refusal:
            if cap is None or not self._server.is_vllm or not about_length(str(refusal)):
                raise
        return await self._ask(request, self._server, None)  # less room than max_tokens: vLLM then takes what is left

    async def _ask(self, request: GenerationRequest, server: _Server, cap: int | None) -> Generation:
        began = time.monotonic()
        body = orjson.dumps(self._body(request, server, cap))
        answer = ChatStream(self._settings.generation_prompt)
        breaker = LoopBreaker(self._settings.loop_breaker)
        async with self._client.post(self._base + "/chat/completions", body) as stream:
            try:
                broken = await self._read(stream, answer, breaker)
            except SaidError as said:
                # as if the status had come before the stream; a question that is refused is so at any time
                if said.status in REFUSING or (said.status >= 400 and not answer.num_pieces):
                    raise self._turned_away(replace(stream.head, status=said.status, body=said.body)) from said
                raise
        self._answered = True
        completion_tokens = answer.num_tokens
        if broken is None:
            assert answer.finish_reason is not None, "read to its end"
            reason, text, saved = answer.finish_reason, answer.text(), 0
        else:
            reason, text = broken.finish_reason, answer.text(keep=broken.keep)
            limit = cap if cap is not None else (server.max_model_len or self._settings.max_tokens)
            saved = saved_tokens(reason, generated=completion_tokens, cap=limit, expected=request.expected_tokens)
        return Generation(
            text=text,
            finish_reason=reason,
            prompt_tokens=answer.prompt_tokens or 0,
            completion_tokens=completion_tokens,
            duration_s=time.monotonic() - began,
            replica=self._base,
            saved_tokens=saved,
        )

    async def _read(self, stream: HttpStream, answer: ChatStream, breaker: LoopBreaker) -> Break | None:
        """Read the stream to its end, or to where it is broken off."""
        head = stream.head
        if head.status != 200:
            raise self._turned_away(await stream.read())
        if head.content_type == "application/json":  # a server that does not stream
            whole = await stream.read()
            if not whole.body.strip():
                raise NotTaken("an empty response")
            answer.take_whole(whole.body)
            if answer.finish_reason is None:
                raise TeacherFault("a response without a finish_reason")
            return None
        if head.content_type != "text/event-stream":
            whole = await stream.read()
            raise NotTaken(f"a response of type {head.content_type}, no event stream: {whole.text or 'empty'}")
        return await _read_events(stream, answer, breaker)

    def _turned_away(self, response: Response) -> TeacherFault | RequestRefused:
        error = error_of(response, answered_before=self._answered, key_name=self._settings.key_name)
        return _at(self._base, error)

    def _body(self, request: GenerationRequest, server: _Server, cap: int | None) -> dict[str, Any]:
        settings = self._settings
        turns = with_system_prompt(
            tuple((turn.role, _carriable(turn.content)) for turn in request.messages), settings.system_prompt
        )
        body: dict[str, Any] = {
            "model": server.model,
            "messages": [{"role": role, "content": content} for role, content in turns],
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "seed": request.seed % 2**63,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if server.is_vllm:
            body["stream_options"]["continuous_usage_stats"] = True
        if cap is not None:
            body["max_tokens"] = cap
        if settings.top_k:
            body["top_k"] = settings.top_k
        if settings.generation_prompt:
            body["messages"].append({"role": "assistant", "content": settings.generation_prompt})
            body |= {"add_generation_prompt": False, "continue_final_message": True}
        return body

    async def _check_plain_question(self, refusal: PlainRefusal) -> None:
        """Raise TeacherLost where the server refuses a plain question too: it is not the question that is wrong."""
        if self._answered:
            return
        assert self._server is not None, "it has refused a request"
        probe = {"query_id": "", "number": 1, "seed": 1, "messages": (), "max_tokens": 1}
        body = self._body(GenerationRequest(**probe), self._server, 1)  # type: ignore[arg-type]
        body["messages"] = [{"role": "user", "content": "What is 1 + 1?"}, *body["messages"]]
        try:
            async with self._client.post(self._base + "/chat/completions", orjson.dumps(body)) as stream:
                status = stream.head.status
        except TeacherFault:
            return
        if status == 200:
            self._answered = True
        elif status in (400, 422):
            raise TeacherLost(f"{self._base} refuses every question as it is asked: {refusal}") from refusal

    def _read_models(self, response: Response) -> _Server:
        wanted = self._settings.model
        if response.status == 200:
            try:
                listed = [entry for entry in orjson.loads(response.body)["data"] if isinstance(entry["id"], str)]
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise NotTaken(f"{self._base}/models is no list of models: {response.text}") from error
            found = [entry for entry in listed if wanted in (None, entry["id"])]
            if found:
                length = found[0].get("max_model_len")
                return _Server(
                    model=found[0]["id"],
                    is_vllm=found[0].get("owned_by") == "vllm",
                    max_model_len=length if isinstance(length, int) else None,
                )
            if wanted is None or listed:
                names = ", ".join(repr(entry["id"]) for entry in listed[:10]) or "none"
                raise TeacherLost(f"model: {self._base} does not serve {wanted!r}; it serves {names}")
        elif response.status not in (404, 405, 501) or wanted is None:  # some servers list nothing
            wrong = error_of(response, answered_before=self._answered, key_name=self._settings.key_name)
            raise _at(self._base, wrong if isinstance(wrong, TeacherFault) else TeacherLost(str(wrong)))
        assert wanted is not None, "nothing is listed, so a name was given"
        return _Server(model=wanted, is_vllm=False, max_model_len=None)


async def _read_events(stream: HttpStream, answer: ChatStream, breaker: LoopBreaker) -> Break | None:
    reader = EventReader()
    try:
        async for piece in stream.pieces():
            for event in reader.feed(piece):
                if text := answer.feed(event):
                    broken = breaker.feed(text)
                    if broken is not None:
                        return broken
            if answer.done:
                await stream.drain()
                break
        else:
            for event in reader.close():
                answer.feed(event)
    except ValueError as oversized:
        raise TeacherFault(str(oversized)) from oversized
    if answer.finish_reason is None:
        if not answer.num_pieces:
            raise NotTaken("an empty stream")
        raise TeacherFault(f"the stream ended after {answer.num_pieces} pieces without a finish_reason: half an answer")
    return None


def _at(place: str, error: TeacherFault | RequestRefused) -> TeacherFault | RequestRefused:
    """The error with its place in front of a message that asks the user to mend something."""
    return TeacherLost(f"{place}: {error}") if isinstance(error, TeacherLost) else error


def _carriable(text: str) -> str:
    """The text as UTF-8 can carry it: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
