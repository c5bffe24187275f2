"""Answers to the completion requests of one simulated address: whole or as a stream of pieces, with the faults that are
asked for. A client that leaves frees its place at once.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import web

from reasonmill.engine.records import attempt_seed
from reasonmill.engine.simulation import openai_wire as wire
from reasonmill.engine.simulation.answers import Answer, AnswerModel, prompt_tokens
from reasonmill.engine.simulation.faults import RequestFault
from reasonmill.engine.simulation.replica import SimulatedReplica, Ticket
from reasonmill.engine.simulation.request_log import Named, RequestLog
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.simulation.texts import pieces
from reasonmill.engine.teachers.protocol import GenerationRequest, TeacherFault

PIECE_S = 0.05  # between two events of a stream, at least: three tokens at 60 tokens/s
PIECES_PER_S = 2000.0  # events of all streams together: a quarter of a core


@dataclass(kw_only=True, slots=True)
class _Choice:
    """One of the answers to a request, as far as it was sent."""

    index: int
    answer: Answer
    named: Named
    ticket: Ticket
    pieces: list[str]
    sent: int = 0
    over: bool = False


class Completions:
    """What answers, over one replica or over several behind one address."""

    def __init__(
        self,
        replicas: Sequence[SimulatedReplica],
        *,
        answers: AnswerModel,
        settings: SimulationSettings,
        model: str,
        max_model_len: int,
        default_category: str,
        log: RequestLog,
        stream_interval: int = 0,
    ) -> None:
        """`stream_interval`: tokens of one event of a stream; 0: as many as there are when something is sent."""
        self._replicas = replicas
        self._stream_interval = stream_interval
        self._answers = answers
        self._settings = settings
        self._model = model
        self._max_model_len = max_model_len
        self._default_category = default_category
        self._log = log
        self._numbers = itertools.count()
        self._open_streams = 0
        self.finished: Counter[str] = Counter()  # answers by finish reason

    async def respond(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        """The response to one request; its log lines are written."""
        replica = min(self._replicas, key=lambda one: (one.down_s > 0.0, one.batch.running + one.batch.waiting))
        if replica.down_s > 0.0:
            return cut(request)
        try:
            asked = wire.read_request(await request.read(), chat=chat)
            limit = self._room(asked)
        except wire.BadRequest as mistake:
            return error(str(mistake), "BadRequestError", 400)
        if asked.model not in ("", self._model):
            return error(f"The model `{asked.model}` does not exist.", "NotFoundError", 404)
        number = next(self._numbers)
        questions = [self._question(asked, number, choice, limit) for choice in range(asked.n)]
        names = [
            Named(replica=replica.name, request=number, prompt=one.messages[-1].content, seed=one.seed, choice=choice)
            for choice, one in enumerate(questions)
        ]
        fault = replica.mishap(questions[0])
        for name in names:
            self._log.say("asked", name, fault=None if fault is None else fault.kind)
        if fault is not None and fault.kind != "drop":
            return await self._refuse(request, fault, names)
        choices: list[_Choice] = []
        try:
            for index, (one, name) in enumerate(zip(questions, names, strict=True)):
                answer = self._answers.answer(one)
                ticket = replica.open(answer, share=1.0 if fault is None else fault.share)
                told = pieces(answer.plan) if asked.stream else []
                choices.append(_Choice(index=index, answer=answer, named=name, ticket=ticket, pieces=told))
            head = wire.frame(replace(asked, model=self._model), number)
            if asked.stream:
                return await self._stream(request, asked, head, replica, choices, fault)
            return await self._whole(request, head, choices, fault)
        except TeacherFault as death:
            self._say_open("failed", choices, fault=str(death))
            return cut(request)
        except asyncio.CancelledError:
            self._say_open("aborted", choices)
            raise
        finally:
            for choice in choices:
                replica.close(choice.ticket)

    def change_faults(self, faults: FaultSettings) -> None:
        """What a refused request is told from now on."""
        self._settings = replace(self._settings, faults=faults)

    def _room(self, asked: wire.Asked) -> int:
        """Tokens that an answer may have. Raises BadRequest where the context has no room for what is asked."""
        used = prompt_tokens(asked.messages)
        left = self._max_model_len - used
        if left < 1 or (asked.max_tokens or 0) > left:
            raise wire.BadRequest(
                f"This model's maximum context length is {self._max_model_len} tokens. However, you requested"
                f" {asked.max_tokens or 1} output tokens and your prompt contains {used} input tokens."
            )
        return asked.max_tokens or left

    def _question(self, asked: wire.Asked, number: int, choice: int, limit: int) -> GenerationRequest:
        prompt = asked.messages[-1].content
        drawn = attempt_seed(self._settings.seed, prompt, self._model, number + 1)  # a request without a seed
        return GenerationRequest(
            query_id=prompt,
            number=1,
            seed=(drawn if asked.seed is None else asked.seed) + choice,
            messages=asked.messages,
            category=self._default_category,
            max_tokens=limit,
        )

    async def _refuse(self, request: web.Request, fault: RequestFault, names: list[Named]) -> web.StreamResponse:
        for name in names:
            self._log.say("failed", name, fault=fault.kind)
        if fault.kind == "hang":
            await asyncio.get_running_loop().create_future()
        if fault.kind == "busy":
            pause = {"Retry-After": f"{self._settings.faults.retry_after_s:g}"}
            return error("simulated: too many requests", "TooManyRequests", 429, headers=pause)
        if fault.kind == "error":
            return error("simulated: internal error", "InternalServerError", 500)
        body = b'{"id": "chatcmpl-sim", "choices": [{"mess' if fault.kind == "malformed" else b""
        return web.Response(body=body, content_type="application/json")

    async def _whole(
        self, request: web.Request, head: wire.Frame, choices: list[_Choice], fault: RequestFault | None
    ) -> web.StreamResponse:
        for choice in choices:
            await choice.ticket.ended
            if fault is None:
                self._finish(choice)
        if fault is not None:
            self._say_open("failed", choices, fault=fault.kind)
            return cut(request)
        texts = [(one.answer.text, one.answer.finish_reason) for one in choices]
        response = web.Response(body=head.whole(texts, _usage(choices)), content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        for choice in choices:
            self._log.say("delivered", choice.named)
        return response

    async def _stream(
        self,
        request: web.Request,
        asked: wire.Asked,
        head: wire.Frame,
        replica: SimulatedReplica,
        choices: list[_Choice],
        fault: RequestFault | None,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        self._open_streams += len(choices)
        try:
            await response.prepare(request)
            if asked.chat:
                await response.write(b"".join(head.piece(one.index, "", first=True) for one in choices))
            while not all(choice.over for choice in choices):
                pause = max(PIECE_S, self._open_streams / PIECES_PER_S)
                waiting = [one.ticket.ended for one in choices if not one.over]
                await asyncio.wait(waiting, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for choice in choices:
                    await self._send_progress(response, head, replica, choice, fault)
            if fault is not None:
                self._say_open("failed", choices, fault=fault.kind)
                return cut(request)
            if asked.include_usage:
                await response.write(head.usage(_usage(choices)))
            await response.write(wire.LAST_EVENT)
            await response.write_eof()
        except ConnectionError:
            self._say_open("aborted", choices)
            return response
        finally:
            self._open_streams -= len(choices)
        for choice in choices:
            self._log.say("delivered", choice.named)
        return response

    async def _send_progress(
        self,
        response: web.StreamResponse,
        head: wire.Frame,
        replica: SimulatedReplica,
        choice: _Choice,
        fault: RequestFault | None,
    ) -> None:
        """Send the tokens that are there and were not sent. Raises TeacherFault where the replica died."""
        if choice.over:
            return
        replica.settle()  # first: it may end the answer, whose progress is not known any more then
        ended = choice.ticket.ended.done() and choice.ticket.ended.result()
        share = 1.0 if fault is None else fault.share
        if not ended:
            share = replica.progress(choice.ticket) / choice.answer.tokens
        upto = min(len(choice.pieces), int(share * len(choice.pieces)))
        reason = None
        if ended:
            choice.over = True
            if fault is None:
                reason = choice.answer.finish_reason
                self._finish(choice)
        every = self._stream_interval or max(1, upto - choice.sent)
        if reason is None:
            upto -= (upto - choice.sent) % every
        events = [
            head.piece(choice.index, "".join(choice.pieces[start : min(start + every, upto)]))
            for start in range(choice.sent, upto, every)
        ]
        choice.sent = upto
        if reason is not None:
            events.append(head.piece(choice.index, "", reason))
        if events:
            await response.write(b"".join(events))

    def _finish(self, choice: _Choice) -> None:
        choice.over = True
        reason = choice.answer.finish_reason
        self.finished[reason] += 1
        self._log.say("finished", choice.named, tokens=choice.answer.tokens, finish_reason=reason)

    def _say_open(self, event: str, choices: Sequence[_Choice], **more: object) -> None:
        for choice in choices:
            if not choice.over or "fault" in more:
                self._log.say(event, choice.named, **more)


def _usage(choices: Sequence[_Choice]) -> dict[str, int]:
    return wire.usage(choices[0].answer.prompt_tokens, sum(one.answer.tokens for one in choices))


def error(message: str, kind: str, status: int, *, headers: dict[str, str] | None = None) -> web.Response:
    """An error as vLLM words it."""
    return web.Response(
        body=wire.error_body(message, kind, status), status=status, content_type="application/json", headers=headers
    )


def cut(request: web.Request) -> web.Response:
    """Break the connection, as a process that dies does; the response that is returned reaches nobody."""
    transport = request.transport
    if transport is not None:
        with contextlib.suppress(OSError):
            transport.abort()
    return web.Response()
