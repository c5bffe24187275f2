"""A real HTTP server that answers like an OpenAI-compatible endpoint, or fails in a way that a test asks for."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web


def completion(text):
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


class JudgeServer:
    """`script` is called with (number of the request, its body) and returns a response, a text, or a coroutine."""

    def __init__(self, script):
        self.script = script
        self.bodies = []
        self.headers = []
        self.open = 0
        self.most_open = 0

    async def handle(self, request):
        self.bodies.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        number = len(self.bodies)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            reply = self.script(number, self.bodies[-1])
            if asyncio.iscoroutine(reply):
                reply = await reply
            if callable(reply):
                return await reply(request)
            return web.json_response(completion(reply)) if isinstance(reply, str) else reply
        finally:
            self.open -= 1


@asynccontextmanager
async def judge_server(script):
    """The running server and its base URL."""
    server = JudgeServer(script)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield server, f"http://127.0.0.1:{port}/v1"
    finally:
        await runner.cleanup()


@pytest.fixture(name="judge_server")
def _judge_server():
    return judge_server
