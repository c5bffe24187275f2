"""The encoder process as its parent sees it: texts in, unit vectors out, for as long as it lives."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.engine.curate.embedding_frames import framed, receive_frame
from reasonmill.engine.curate.settings import EmbeddingSettings

_COMMAND = ("-m", "reasonmill.engine.curate.embedding_worker")
_LOG_TAIL = 2000  # bytes of the process's last words in an error
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}


class EncoderDied(Exception):
    """The process ended, or missed its deadline and was killed. The message has its last words."""


class EncoderProcess:
    """One child process. Use `start`, then the requests from one task at a time, and `close` in the end."""

    def __init__(self, process: asyncio.subprocess.Process, log: "tempfile._TemporaryFileWrapper[bytes]") -> None:
        self._process = process
        self._log = log
        self.dimension = 0
        self.identity = ""  # of the encoder: window_encoder.identity

    @classmethod
    async def start(cls, settings: EmbeddingSettings) -> "EncoderProcess":
        """A process whose model is loaded. Raises ValueError for a model that cannot be, EncoderDied for the rest."""
        log = tempfile.NamedTemporaryFile()  # noqa: SIM115  # closed by close()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *_COMMAND,
            settings.model or "",
            settings.dtype,
            settings.device,
            str(settings.batch_size),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log.fileno(),
            env={**os.environ, **_ONE_THREAD},
        )
        encoder = cls(process, log)
        try:
            greeting = orjson.loads((await encoder._answers(1, settings.deadline_s))[0])
        except BaseException:
            await encoder.close()
            raise
        if "error" in greeting:
            await encoder.close()
            raise ValueError(f"the embedding model cannot be loaded: {greeting['error']}")
        encoder.dimension = int(greeting["dimension"])
        encoder.identity = str(greeting["identity"])
        return encoder

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def encode(self, texts: Sequence[str], deadline_s: float) -> list[NDArray[np.float32]]:
        """Unit vectors of the pieces of each text, float32 [pieces, dimension] each.

        This and the other requests raise EncoderDied, after which only `close` is of use.
        """
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # JSON has no lone surrogates
        await self._ask({"do": "encode", "texts": clean})
        header, content = await self._answers(2, deadline_s)
        vectors = np.frombuffer(content, np.float32).reshape(-1, self.dimension)
        ends = np.cumsum(orjson.loads(header)["counts"])
        return np.split(vectors, ends[:-1])

    async def hold(self, vectors: NDArray[np.float32]) -> None:
        """Compare with these from now on."""
        await self._ask({"do": "hold"}, vectors)

    async def nearest(
        self, vectors: NDArray[np.float32], floor: float, deadline_s: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of what is held the nearest to each vector, and its cosine; exact above `floor`."""
        await self._ask({"do": "nearest", "floor": floor}, vectors)
        best, cosines = await self._answers(2, deadline_s)
        return np.frombuffer(best, np.int64), np.frombuffer(cosines, np.float64)

    async def _ask(self, header: dict[str, Any], vectors: NDArray[np.float32] | None = None) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(framed(orjson.dumps(header)))
            if vectors is not None:
                self._process.stdin.write(framed(np.ascontiguousarray(vectors, np.float32).tobytes()))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise EncoderDied(await self._last_words()) from None

    async def _answers(self, count: int, deadline_s: float) -> list[bytes]:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(deadline_s):
                return [await receive_frame(self._process.stdout) for _ in range(count)]
        except TimeoutError:
            raise EncoderDied(f"no answer within {deadline_s:g} s. {await self._last_words()}") from None
        except asyncio.IncompleteReadError:
            raise EncoderDied(await self._last_words()) from None

    async def _last_words(self) -> str:
        """Kills what is left of the process; how it ended and the end of its log."""
        self._kill()
        status = await self._process.wait()
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _LOG_TAIL))
        return f"exit status {status}. Its last words: {self._log.read().decode('utf-8', 'replace').strip() or 'none'}"

    def _kill(self) -> None:
        # not Process.kill: it polls first, and may reap the child under the event loop's hands
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the process. Safe to call more than once."""
        self._kill()
        await self._process.wait()
        self._log.close()
