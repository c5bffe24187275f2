"""The trainer as a child process of the coordinator: nothing heavy is imported, and it dies with the caller."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

EXIT_FINISHED = 0  # training ended, the student is written
EXIT_MISTAKE = 2  # a setting or a file is wrong (named in the log): a new start ends the same way
EXIT_FAULT = 3  # a loss or gradient that is not finite (rows named in the log): a new start ends the same way
EXIT_STOPPED = 75  # terminate() was obeyed: saved, a new start goes on


class TrainerProcess:
    """torchrun over `num_ranks` ranks for one configuration file; all of its output goes to `log_path`, appended."""

    def __init__(self, config_path: str | Path, log_path: str | Path, num_ranks: int) -> None:
        self._config_path = Path(config_path)
        self._log_path = Path(log_path)
        self._num_ranks = num_ranks
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id of torchrun, once started."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start torchrun; it goes on from the newest whole checkpoint of its output folder."""
        assert self._process is None, "a trainer process is started once"
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "reasonmill.engine.train.elastic",
                "--config",
                str(self._config_path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=rank_environment(self._num_ranks),
            )

    async def wait(self) -> int:
        """Exit status, one of the above or 1 for ranks that failed or were killed; negative for a killed torchrun."""
        assert self._process is not None, "wait() comes after start()"
        return await self._process.wait()

    def terminate(self) -> None:
        """Ask for a checkpoint and an early end; `wait()` then gives EXIT_STOPPED."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End torchrun and all ranks now, without a checkpoint."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            # not send_signal: it polls first, and may reap the child under the event loop's hands
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


def rank_environment(num_ranks: int) -> dict[str, str]:
    """The caller's environment with what the ranks need: one thread each unless set, no network, safe import path."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "LOCAL_SIZE": str(num_ranks),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        # Nothing is compiled here; else a decorator in DeepSpeed's Muon makes every start import torch's compiler.
        "TORCHDYNAMO_DISABLE": "1",
    }
