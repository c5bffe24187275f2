"""What a streamed answer costs the client, by how many tokens one piece of its stream holds (vLLM's --stream-interval).

A simulated server in a process of its own streams answers of the published lengths to the endpoint teacher, loop
breaker included; what is counted is the CPU time of the client's process alone.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.records import attempt_seed
from reasonmill.engine.simulation.questions import simulated_query
from reasonmill.engine.teachers.endpoint_teacher import open_endpoint
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest
from reasonmill.engine.teachers.settings import TeacherSettings

INTERVALS = (1, 4, 8, 16, 64)  # tokens of one piece
OPEN = 32
_PROGRAM = "from reasonmill.engine.cli import main; main()"


def measure(scale: Scale) -> Iterator[Figure]:
    """`ci`: 64 answers at each size, `node`: 512."""
    answers = 64 if scale == "ci" else 512
    for interval in INTERVALS:
        cpu_s, tokens = asyncio.run(_client_cpu_s(interval, answers))
        yield Figure(
            name=f"client_us_per_token_by_{interval}",
            value=1e6 * cpu_s / tokens,
            unit="us",
            better="lower",
            detail={"answers": answers, "tokens": tokens, "ms_per_answer": 1e3 * cpu_s / answers},
        )


async def _client_cpu_s(interval: int, answers: int) -> tuple[float, int]:
    """CPU seconds of this process, and the tokens that it was sent."""
    async with _server(interval) as url:
        settings = TeacherSettings(name="t", kind="endpoint", base_url=url, max_num_seqs=OPEN)
        async with open_endpoint(settings) as teacher:
            requests = [_request(number) for number in range(answers + 1)]
            await teacher.generate(replace(requests.pop(), max_tokens=64))
            began = time.process_time()
            found: list[Generation] = await asyncio.gather(*(teacher.generate(one) for one in requests))
            return time.process_time() - began, sum(one.completion_tokens for one in found)


def _request(number: int) -> GenerationRequest:
    query = simulated_query(0, number, category="math")
    return GenerationRequest(
        query_id=query.id, number=1, seed=attempt_seed(1, query.id, "t", 1), messages=query.messages, category="math"
    )


@asynccontextmanager
async def _server(interval: int) -> AsyncIterator[str]:
    command = ("simulate-teacher", "--port", "0", "--max-num-seqs", str(OPEN), "--stream-interval", str(interval))
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _PROGRAM, *command, "--speed-up", "60"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )
    try:
        assert server.stdout is not None, "it is piped"
        ready = (await server.stdout.readline()).decode()
        assert ready.startswith("ready "), f"the simulated server says {ready!r}"
        yield ready.split()[1]
    finally:
        server.send_signal(signal.SIGTERM)
        await server.wait()
