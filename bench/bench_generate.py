"""Teachers beside plain `LLM.generate`: tokens per second of the engine process and of a served replica, same prompts.

Every contestant holds its model in a process of its own and is asked in turn, in alternating order, the others idle:
the same prompts, seeds, sampling and engine options, one OpenMP thread each. A round ends with its last answer, so that
the shrinking batch at its end counts against all of them alike.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from reasonmill.bench.figure import Figure, Scale
from reasonmill.engine.embedded.smollm2 import exported_folder
from reasonmill.engine.records import Message
from reasonmill.engine.teachers.engine_process import engine_environment
from reasonmill.engine.teachers.open import open_teachers
from reasonmill.engine.teachers.protocol import GenerationRequest, Teacher
from reasonmill.engine.teachers.replicas import open_replicas
from reasonmill.engine.teachers.server_plan import cpu_kv_cache_mib
from reasonmill.engine.teachers.settings import TeacherSettings

TARGET = 0.97
_EMBEDDED = Path(__file__).resolve().parents[1] / "engine" / "embedded" / "tiny_teacher"
_READY_LIMIT_S = 300.0

Round = Callable[[int], Awaitable[tuple[float, int]]]  # of a seed: seconds and tokens


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked in a round."""

    model: str
    name: str
    prompts: list[str]
    max_tokens: int
    max_model_len: int
    max_num_seqs: int
    rounds: int

    def settings(self) -> TeacherSettings:
        """A teacher that asks in the same way as the plain peer."""
        return TeacherSettings(
            name=self.name,
            model=self.model,
            temperature=1.0,
            top_p=1.0,
            max_tokens=self.max_tokens,
            max_model_len=self.max_model_len,
            max_num_seqs=self.max_num_seqs,
            dtype="bfloat16",
            cpu_threads=1,
            kv_cache_mib=cpu_kv_cache_mib(
                TeacherSettings(
                    name="size",
                    model=self.model,
                    max_model_len=self.max_model_len,
                    max_num_seqs=self.max_num_seqs,
                )
            ),
        )


def measure(scale: Scale) -> Iterator[Figure]:
    """The embedded teacher at `ci`; SmolLM2-135M and a served replica of each as well at `node`."""
    questions = [f"What is {a} + {b}?" for a in range(10, 26) for b in range(30, 46)]
    tiny = Load(
        model=str(_EMBEDDED),
        name="tiny",
        prompts=questions,
        max_tokens=160,
        max_model_len=256,
        max_num_seqs=256,
        rounds=5,
    )
    yield from _figures(tiny, served=scale == "node")
    if scale == "node":
        small = Load(
            model=str(exported_folder()),
            name="smollm2",
            prompts=questions[:32],
            max_tokens=64,
            max_model_len=256,
            max_num_seqs=32,
            rounds=4,
        )
        yield from _figures(small, served=True)


def _figures(load: Load, *, served: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="reasonmill-bench-") as folder:
        rates = asyncio.run(_measure(load, Path(folder), served=served))
    plain = rates.pop("plain")
    yield Figure(name=f"{load.name}_plain", value=max(plain), unit="tokens/s", detail={"rounds": len(plain)})
    for name, own in rates.items():
        ratios = [one / other for one, other in zip(own, plain, strict=True)]
        yield Figure(name=f"{load.name}_{name}", value=max(own), unit="tokens/s")
        yield Figure(
            name=f"{load.name}_{name}_ratio",
            value=statistics.median(ratios),
            unit="x",
            target=TARGET,
            gated=True,
            detail={"lowest": min(ratios), "highest": max(ratios), "rounds": len(ratios)},
        )


async def _measure(load: Load, folder: Path, *, served: bool) -> dict[str, list[float]]:
    """Tokens per second of each round by contestant, a first round of each left out."""
    async with AsyncExitStack() as stack:
        contestants: dict[str, Round] = {"plain": await stack.enter_async_context(_plain(load, folder))}
        teachers = await stack.enter_async_context(open_teachers([load.settings()], log_dir=folder))
        contestants["engine"] = _asking(load, teachers[load.name])
        if served:
            replica = await stack.enter_async_context(open_replicas(load.settings(), log_dir=folder))
            contestants["served"] = _asking(load, replica)
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(load.rounds + 1):
            names = list(contestants) if number % 2 else list(reversed(contestants))
            for name in names:
                seconds, tokens = await contestants[name](1000 * number)
                if number:
                    rates[name].append(tokens / seconds)
    return rates


def _asking(load: Load, teacher: Teacher) -> Round:
    async def ask(base: int) -> tuple[float, int]:
        requests = [
            GenerationRequest(
                query_id=str(number), number=1, seed=base + number, messages=(Message(role="user", content=prompt),)
            )
            for number, prompt in enumerate(load.prompts)
        ]
        began = time.perf_counter()
        answers = await asyncio.gather(*(teacher.generate(request) for request in requests))
        return time.perf_counter() - began, sum(answer.completion_tokens for answer in answers)

    return ask


@asynccontextmanager
async def _plain(load: Load, folder: Path) -> AsyncIterator[Round]:
    settings = load.settings()
    assert settings.kv_cache_mib is not None, "given above"
    options = {
        "dtype": settings.dtype,
        "max_model_len": load.max_model_len,
        "max_num_seqs": load.max_num_seqs,
        "max_num_batched_tokens": 4096,
        "kv_cache_memory_bytes": settings.kv_cache_mib * 2**20,
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "enable_prefix_caching": False,
    }
    given = {"model": load.model, "prompts": load.prompts, "max_tokens": load.max_tokens, "options": options}
    path = folder / "plain.json"
    path.write_bytes(orjson.dumps(given))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "reasonmill.bench.plain_vllm", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=engine_environment(cpu_threads=1),
        start_new_session=True,
    )
    assert child.stdin is not None, "piped"
    assert child.stderr is not None, "piped"

    async def said(word: str) -> list[str]:
        assert child.stderr is not None, "piped"
        while line := await child.stderr.readline():
            words = line.decode(errors="replace").split()
            if words[:1] == [word]:
                return words[1:]
        raise RuntimeError(f"plain vLLM ended with status {await child.wait()}")

    async def ask(base: int) -> tuple[float, int]:
        assert child.stdin is not None, "piped"
        child.stdin.write(f"{base}\n".encode())
        seconds, tokens = await said("round")
        return float(seconds), int(tokens)

    try:
        async with asyncio.timeout(_READY_LIMIT_S):
            await said("ready")
        yield ask
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
