"""A server as `vllm serve` is started, without a model: answers after the number of seconds that the question names.

`die` ends it, `hang` stops it from answering anything more. Each answer that it has finished is a line of the file in
ECHO_SERVER_LOG; with ECHO_SERVER_BROKEN it does not start.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import orjson
from aiohttp import web

from reasonmill.engine.flow.lifeline import die_with_parent


async def chat(request: web.Request) -> web.StreamResponse:
    body = orjson.loads(await request.read())
    question = body["messages"][-1]["content"]
    if question == "die":
        os._exit(3)
    if question == "hang":
        time.sleep(1000)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await asyncio.sleep(float(question.split()[0]))
    text = f"{question} by {os.getpid()}"
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 20}
    await response.write(b"data: " + orjson.dumps({"choices": [choice], "usage": usage}) + b"\n\ndata: [DONE]\n\n")
    with Path(os.environ["ECHO_SERVER_LOG"]).open("a") as log:
        log.write(question + "\n")
    return response


async def models(_: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": served, "owned_by": "vllm", "max_model_len": 64}]})


async def health(_: web.Request) -> web.Response:
    return web.Response()


if __name__ == "__main__":
    die_with_parent()
    if "ECHO_SERVER_BROKEN" in os.environ:
        print("ValueError: no such architecture", flush=True)
        sys.exit(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--host")
    parser.add_argument("--served-model-name")
    options, _ = parser.parse_known_args()
    served = options.served_model_name
    subprocess.Popen(["sleep", "1000"])  # as vLLM's engine process
    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/health", health)
    web.run_app(app, host=options.host, port=options.port, print=None, handle_signals=False)
