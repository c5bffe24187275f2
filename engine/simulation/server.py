"""The routes of a simulated teacher behind OpenAI's protocol: what a vLLM server has, and two that break it on purpose:

PUT  /simulation/faults {"error_rate": 1.0, …}    other rates from now on
POST /simulation/die    {"down_s": 60}            every open request breaks off, and nothing answers for so long
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson
from aiohttp import web

from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.completions import Completions, cut, error
from reasonmill.engine.simulation.metrics import metrics_text
from reasonmill.engine.simulation.replica import SimulatedReplica
from reasonmill.engine.simulation.request_log import RequestLog
from reasonmill.engine.simulation.settings import SimulationSettings


class SimulatedServer:
    """One address."""

    def __init__(
        self,
        replicas: Sequence[SimulatedReplica],
        *,
        answers: AnswerModel,
        settings: SimulationSettings,
        model: str,
        max_model_len: int,
        log: RequestLog,
        default_category: str = "math",
        stream_interval: int = 0,
    ) -> None:
        self._replicas = replicas
        self._settings = settings
        self._model = model
        self._max_model_len = max_model_len
        self._completions = Completions(
            replicas,
            answers=answers,
            settings=settings,
            model=model,
            max_model_len=max_model_len,
            default_category=default_category,
            log=log,
            stream_interval=stream_interval,
        )

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_put("/simulation/faults", self._change_faults)
        app.router.add_post("/simulation/die", self._die)
        return app

    @property
    def _down(self) -> bool:
        return all(one.down_s > 0.0 for one in self._replicas)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._completions.respond(request, chat=True)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        return await self._completions.respond(request, chat=False)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self._down:
            return cut(request)
        card = {"id": self._model, "object": "model", "owned_by": "reasonmill", "max_model_len": self._max_model_len}
        return web.json_response({"object": "list", "data": [card]})

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return cut(request) if self._down else web.Response()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        if self._down:
            return cut(request)
        return web.Response(text=metrics_text(self._replicas, self._model, self._completions.finished))

    async def _change_faults(self, request: web.Request) -> web.StreamResponse:
        try:
            faults = replace(self._settings.faults, **orjson.loads(await request.read()))
        except (orjson.JSONDecodeError, TypeError, ValueError) as mistake:
            return error(str(mistake), "BadRequestError", 400)
        self._settings = replace(self._settings, faults=faults)
        self._completions.change_faults(faults)
        for one in self._replicas:
            one.change_faults(faults)
        return web.Response()

    async def _die(self, request: web.Request) -> web.StreamResponse:
        try:
            down_s = float(orjson.loads(await request.read() or b"{}").get("down_s", self._settings.faults.down_s))
        except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError) as mistake:
            return error(str(mistake), "BadRequestError", 400)
        for one in self._replicas:
            one.die(down_s)
        return web.Response()
