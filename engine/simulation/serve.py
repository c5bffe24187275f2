"""`reasonmill simulate-teacher`: simulated replicas on ports of their own, or behind one, until a signal ends them."""

import argparse
import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from rich.console import Console

from reasonmill.engine.faults import RunFailed
from reasonmill.engine.recipe_loader import apply_overrides, build
from reasonmill.engine.records import CATEGORIES
from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.questions import write_simulated_queries
from reasonmill.engine.simulation.replica import open_replicas
from reasonmill.engine.simulation.request_log import RequestLog
from reasonmill.engine.simulation.server import SimulatedServer
from reasonmill.engine.simulation.settings import SimulationSettings

MAX_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Where the servers listen and what they are called."""

    host: str = "127.0.0.1"
    port: int = 8000  # of the first replica, the others follow; 0: any free ones
    one_port: bool = False  # all replicas behind one address
    model: str = "simulated"  # name that they serve; answers depend on it
    max_num_seqs: int = 32  # requests of one replica that run at once
    max_model_len: int = 40_960  # tokens of prompt and answer together
    category: str = "math"  # of prompts that are no simulated queries
    stream_interval: int = 0  # tokens of one event of a stream, as vLLM has it; 0: as many as there are
    log: str | None = None  # JSONL of what was asked and what became of it

    def __post_init__(self) -> None:
        if not 0 <= self.port <= MAX_PORT:
            raise ValueError(f"port: {self.port} is outside [0, {MAX_PORT}]")
        for name in ("max_num_seqs", "max_model_len"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not positive")
        if self.stream_interval < 0:
            raise ValueError(f"stream_interval: {self.stream_interval} is negative")
        if not self.model:
            raise ValueError("model: the name is empty")
        if self.category not in CATEGORIES:
            raise ValueError(f"category: {self.category!r} is none of {', '.join(CATEGORIES)}")


def main(options: argparse.Namespace, console: Console) -> int:
    """Exit status 0 after SIGINT or SIGTERM, or when the queries that were asked for are written."""
    if options.write_queries:
        if options.num_queries < 1:
            raise ValueError(f"--num-queries: {options.num_queries} is not positive")
        write_simulated_queries(
            Path(options.write_queries), options.num_queries, seed=options.seed, categories=options.categories
        )
        console.print(f"{options.num_queries:,} simulated queries in {options.write_queries}", highlight=False)
        return 0
    overrides = [
        f"replicas={options.replicas}",
        f"seed={options.seed}",
        f"speed_up={options.speed_up}",
        "text_mode=full",
    ]
    simulation = build(SimulationSettings, apply_overrides({}, [*overrides, *options.overrides]))
    settings = ServeSettings(
        host=options.host,
        port=options.port,
        one_port=options.one_port,
        model=options.model,
        max_num_seqs=options.max_num_seqs,
        max_model_len=options.max_model_len,
        category=options.category,
        stream_interval=options.stream_interval,
        log=options.log,
    )
    asyncio.run(_serve(settings, simulation, console))
    return 0


async def _serve(settings: ServeSettings, simulation: SimulationSettings, console: Console) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        for address in await open_servers(settings, simulation, stack):
            console.print(f"ready http://{address}/v1  model {settings.model}", highlight=False, soft_wrap=True)
        console.file.flush()
        await stop.wait()


async def open_servers(
    settings: ServeSettings, simulation: SimulationSettings, stack: contextlib.AsyncExitStack
) -> list[str]:
    """Servers that answer until the stack is closed; returns their addresses as HOST:PORT.

    Raises RunFailed where a port is taken, ValueError for a file of answers that is missing.
    """
    answers = AnswerModel(simulation, teacher=settings.model, max_tokens=settings.max_model_len)
    replicas = open_replicas(
        simulation, teacher=settings.model, max_num_seqs=settings.max_num_seqs, max_tokens=settings.max_model_len
    )
    groups = [replicas] if settings.one_port else [[one] for one in replicas]
    if settings.port and settings.port + len(groups) - 1 > MAX_PORT:
        raise ValueError(f"port: {settings.port} leaves no room for {len(groups)} replicas up to {MAX_PORT}")
    log = RequestLog(Path(settings.log) if settings.log else None)
    stack.callback(log.close)
    addresses = []
    for place, group in enumerate(groups):
        server = SimulatedServer(
            group,
            answers=answers,
            settings=simulation,
            model=settings.model,
            max_model_len=settings.max_model_len,
            log=log,
            default_category=settings.category,
            stream_interval=settings.stream_interval,
        )
        port = settings.port + place if settings.port else 0
        addresses.append(await _listen(server.application(), settings.host, port, stack))
    return addresses


async def _listen(app: web.Application, host: str, port: int, stack: contextlib.AsyncExitStack) -> str:
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise RunFailed(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    address = runner.addresses[0]
    return f"{address[0]}:{address[1]}"
