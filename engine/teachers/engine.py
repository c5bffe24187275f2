"""A model that stays available: its process is restarted when it dies, a bounded number of times.

Questions open at the moment of death end with TeacherFault at once; later ones wait for the restart. When there have
been too many deaths every question ends with TeacherLost.
"""

import asyncio
import importlib.util
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from reasonmill.engine.teachers.engine_process import VLLM_COMMAND, EngineProcess
from reasonmill.engine.teachers.faults import TeacherLost
from reasonmill.engine.teachers.protocol import TeacherFault
from reasonmill.engine.teachers.wire import Answer, EngineSpec, Loaded, Sampling

RESTART_WINDOW_S = 3600.0


class Engine:
    """One engine with one model at a time. Use as `async with`, then `load`, then `ask`."""

    def __init__(
        self,
        *,
        log: Path,
        environment: Mapping[str, str],
        start_limit_s: float,
        stall_limit_s: float,
        max_restarts: int,
        command: Sequence[str] = VLLM_COMMAND,
    ) -> None:
        if command is VLLM_COMMAND and importlib.util.find_spec("vllm") is None:
            raise ModuleNotFoundError(
                "vllm is not installed: pip install 'reasonmill[cpu]', or 'reasonmill[cuda]' on GPUs", name="vllm"
            )
        self._log = log
        self._environment = environment
        self._start_limit_s = start_limit_s
        self._stall_limit_s = stall_limit_s
        self._max_restarts = max_restarts
        self._command = command
        self._deaths: deque[float] = deque()
        self._spec: EngineSpec | None = None
        self._process: EngineProcess | None = None
        self._ready = asyncio.Event()
        self._lost: TeacherLost | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the engine, while there is one."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> "Engine":
        self._process = await self._spawn()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._process is not None:
            await self._process.stop()
        self._lose(TeacherLost("the engine is closed"))

    async def load(self, spec: EngineSpec) -> Loaded:
        """Hold this model, in place of any other; no question may be open.

        Raises ValueError for a folder that is no model, TeacherLost where vLLM cannot load it.
        """
        check_model(spec.model)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._ready.clear()
        self._lost = None
        self._spec = spec
        if self._process is None or self._process.died.is_set():
            self._process = await self._spawn()
        try:
            loaded = await self._process.load(spec, limit_s=self._start_limit_s)
        except TeacherFault as fault:
            raise self._lose(TeacherLost(f"the model {spec.model} does not load: {fault}")) from fault
        self._ready.set()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {Path(spec.model).name}")
        return loaded

    async def ask(self, turns: tuple[tuple[str, str], ...], generation_prompt: str, sampling: Sampling) -> Answer:
        """Answer once, after a restart if one is under way. Raises TeacherFault, TeacherLost, RequestRefused."""
        await self._ready.wait()
        if self._lost is not None:
            raise TeacherLost(str(self._lost))
        assert self._process is not None, "ready without a process"
        return await self._process.ask(turns, generation_prompt, sampling)

    async def _spawn(self) -> EngineProcess:
        process = EngineProcess(self._log, self._environment, stall_limit_s=self._stall_limit_s, command=self._command)
        await process.start()
        return process

    async def _keep(self) -> None:
        while True:
            assert self._process is not None, "kept without a process"
            assert self._spec is not None, "kept without a model"
            await self._process.died.wait()
            self._ready.clear()
            await self._process.stop()
            now = time.monotonic()
            self._deaths.append(now)
            while now - self._deaths[0] > RESTART_WINDOW_S:
                self._deaths.popleft()
            if len(self._deaths) > self._max_restarts:
                self._lose(TeacherLost(f"the engine died {len(self._deaths)} times: see {self._log}"))
                return
            self._process = await self._spawn()
            try:
                await self._process.load(self._spec, limit_s=self._start_limit_s)
            except TeacherFault:
                continue  # it died once more
            self._ready.set()

    def _lose(self, loss: TeacherLost) -> TeacherLost:
        self._lost = self._lost or loss
        self._ready.set()
        return loss


def check_model(model: str) -> None:
    """Raise ValueError unless `model` is a readable Hugging Face folder, or a hub name and HF_HUB_OFFLINE is set."""
    folder = Path(model)
    if not folder.exists():
        if "HF_HUB_OFFLINE" in os.environ and model.count("/") == 1 and not model.startswith((".", "/")):
            return
        raise ValueError(
            f"model: the folder {model!r} does not exist"
            " (for a name on the Hugging Face hub set HF_HUB_OFFLINE to 0, or to 1 for the local cache)"
        )
    if not folder.is_dir():
        raise ValueError(f"model: {model!r} is no folder")
    try:
        (folder / "config.json").read_bytes()
        weights = any(entry.suffix in (".safetensors", ".bin") for entry in folder.iterdir())
    except FileNotFoundError:
        raise ValueError(f"model: {model!r} holds no config.json") from None
    except PermissionError as denied:
        raise ValueError(f"model: {str(denied.filename)!r} cannot be read") from None
    if not weights:
        raise ValueError(f"model: {model!r} holds no weights (*.safetensors)")
