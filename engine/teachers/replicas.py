"""vLLM servers that reasonmill starts, watches and restarts: `data_parallel_size` of them, each on its own GPUs or its
share of the cores, behind one teacher.

A server that dies, or answers no health check for the stall limit, is killed with all its processes and started again,
at most `max_restarts` times an hour; what was open on it goes to the others. When the last one is given up, the teacher
is lost. All of them end with the block, and with the process.
"""

import asyncio
import importlib.util
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from reasonmill.engine.teachers.endpoint import EndpointReplica
from reasonmill.engine.teachers.endpoint_teacher import endpoint_settings, open_client
from reasonmill.engine.teachers.faults import NotTaken, TeacherLost
from reasonmill.engine.teachers.http_client import HttpClient
from reasonmill.engine.teachers.protocol import Generation, GenerationRequest, ReplicaLoad, TeacherFault
from reasonmill.engine.teachers.replica_set import ReplicaSet
from reasonmill.engine.teachers.replica_settings import BalanceSettings
from reasonmill.engine.teachers.server_plan import server_arguments, server_environment, share_gpus, visible_gpus
from reasonmill.engine.teachers.server_process import SERVER_COMMAND, ServerProcess, free_port
from reasonmill.engine.teachers.settings import TeacherSettings

RESTART_WINDOW_S = 3600.0
_READY_PAUSE_S = 0.25
_HEALTH_PAUSE_S = 2.0


class ServedReplica:
    """One server that stays available."""

    def __init__(
        self,
        number: int,
        settings: TeacherSettings,
        client: HttpClient,
        *,
        gpus: list[str],
        log: Path,
        command: Sequence[str],
    ) -> None:
        self._number = number
        self._settings = settings
        self._client = client
        self._command = (*command, *server_arguments(settings, on_gpus=bool(gpus)))
        self._environment = server_environment(settings, gpus)
        self._log = log
        self._process: ServerProcess | None = None
        self._endpoint: EndpointReplica | None = None
        self._ready = False
        self._starts: deque[float] = deque()
        self.lost: TeacherLost | None = None

    @property
    def name(self) -> str:
        """The teacher's name and its own number; its port changes with each start."""
        return f"{self._settings.name}-{self._number}"

    @property
    def max_num_seqs(self) -> int:
        """The most requests that it is ever given at once."""
        return self._settings.max_num_seqs

    @property
    def pid(self) -> int | None:
        """Process id of the server, once it was started."""
        return self._process.pid if self._process else None

    async def generate(self, request: GenerationRequest) -> Generation:
        """Answer once. Raises as EndpointReplica does."""
        return await self._serving().generate(request)

    async def load(self) -> ReplicaLoad | None:
        """How full it is. Raises TeacherFault while it is not ready."""
        return await self._serving().load()

    async def start(self) -> None:
        """Return when it answers. Raises TeacherLost with the place of its log where it does not."""
        limit_s = self._settings.start_limit_s
        process = ServerProcess(self._command, port=free_port(), log=self._log, environment=self._environment)
        self._process = process
        self._starts.append(asyncio.get_running_loop().time())
        try:
            await process.start()
            async with asyncio.timeout(limit_s):
                await self._until_ready(process)
        except TimeoutError:
            process.kill()
            raise TeacherLost(f"{self.name} was not ready in {limit_s:g} s: see {self._log}") from None

    async def keep(self, *, on_ready: Callable[[], None]) -> TeacherLost:
        """Watch it and start it again; returns when there have been too many deaths within an hour."""
        while True:
            assert self._process is not None, "kept before it was started"
            await self._until_down(self._process)
            self._ready = False
            await self._process.stop()
            now = asyncio.get_running_loop().time()
            while self._starts and now - self._starts[0] > RESTART_WINDOW_S:
                self._starts.popleft()
            if len(self._starts) > self._settings.max_restarts:
                self.lost = TeacherLost(f"{self.name} died {len(self._starts)} times: see {self._log}")
                return self.lost
            try:
                await self.start()
            except TeacherFault:
                continue  # it died once more
            on_ready()

    async def stop(self) -> None:
        """End the server and all that it started."""
        self._ready = False
        if self._process is not None:
            await self._process.stop()

    def _serving(self) -> EndpointReplica:
        if not self._ready or self._endpoint is None:
            raise NotTaken(f"{self.name} is not ready: see {self._log}", unreachable=True)
        return self._endpoint

    async def _until_ready(self, process: ServerProcess) -> None:
        base_url = f"http://127.0.0.1:{process.port}/v1"
        while not await self._healthy(process, limit_s=5.0):
            if process.dead:
                raise TeacherLost(f"{self.name} does not start: {_last_error(self._log)} (see {self._log})")
            await asyncio.sleep(_READY_PAUSE_S)
        self._endpoint = EndpointReplica(
            base_url, endpoint_settings(self._settings, model=self._settings.name), self._client
        )
        await self._endpoint.discover()
        self._ready = True

    async def _until_down(self, process: ServerProcess) -> None:
        """Return when the process has ended, or has not answered for the stall limit."""
        clock = asyncio.get_running_loop()
        ended = asyncio.ensure_future(process.wait())
        heard = clock.time()
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_HEALTH_PAUSE_S)
                if await self._healthy(process, limit_s=min(30.0, self._settings.stall_limit_s)):
                    heard = clock.time()
                elif clock.time() - heard > self._settings.stall_limit_s:
                    return
        finally:
            ended.cancel()

    async def _healthy(self, process: ServerProcess, *, limit_s: float) -> bool:
        if process.dead:
            return False
        try:
            response = await self._client.get(f"http://127.0.0.1:{process.port}/health", limit_s=limit_s)
        except TeacherFault:
            return False
        return response.status == 200


@asynccontextmanager
async def open_replicas(
    settings: TeacherSettings, *, log_dir: Path, command: Sequence[str] = SERVER_COMMAND
) -> AsyncIterator[ReplicaSet]:
    """The teacher over servers of its own, all ready. Raises ValueError for GPUs that do not suffice, TeacherLost with
    the place of the log where a server does not start, ModuleNotFoundError without vLLM.
    """
    if command is SERVER_COMMAND and importlib.util.find_spec("vllm") is None:
        raise ModuleNotFoundError(
            "vllm is not installed: pip install 'reasonmill[cpu]', or 'reasonmill[cuda]' on GPUs", name="vllm"
        )
    shares = share_gpus(visible_gpus(), replicas=settings.data_parallel_size, each=settings.tensor_parallel_size)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(settings, None))
        replicas = [
            ServedReplica(
                number,
                settings,
                client,
                gpus=gpus,
                log=log_dir / f"server-{settings.name}-{number}.log",
                command=command,
            )
            for number, gpus in enumerate(shares)
        ]
        for replica in replicas:
            stack.push_async_callback(replica.stop)
        starting = [asyncio.create_task(replica.start(), name=f"start {replica.name}") for replica in replicas]
        stack.push_async_callback(_cancel, starting)
        await asyncio.gather(*starting)
        balance = BalanceSettings(outage_limit_s=settings.outage_limit_s)
        teacher = await stack.enter_async_context(ReplicaSet(settings.name, replicas, balance))
        keepers = [
            asyncio.create_task(_keep(replica, teacher, replicas), name=f"keep {replica.name}") for replica in replicas
        ]
        stack.push_async_callback(_cancel, keepers)
        yield teacher


async def _keep(replica: ServedReplica, teacher: ReplicaSet, replicas: Sequence[ServedReplica]) -> None:
    """Keep one server up; the teacher is lost with the last one that is given up."""
    lost = await replica.keep(on_ready=lambda: teacher.nudge(replica))
    if all(one.lost for one in replicas):
        teacher.lose(lost)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _last_error(log: Path) -> str:
    """The last line of a log that names an error, for messages."""
    lines = log.read_text(errors="replace").splitlines()[-200:]
    named = [line.strip() for line in lines if "Error" in line]
    return (named or lines or ["it said nothing"])[-1][-300:]
