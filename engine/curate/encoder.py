"""Vectors of texts for the coordinator, which loads no torch and never waits: the encoder is a process of its own.

If it dies it is started again and asked again, `max_restarts` times in all. What was encoded before, by this run or by
another that names the same cache, is not encoded again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.encoder_process import EncoderDied, EncoderProcess
from reasonmill.engine.curate.settings import EmbeddingSettings
from reasonmill.engine.curate.vector_cache import VectorCache
from reasonmill.engine.faults import RunFailed

T = TypeVar("T")

_CALL_CHARACTERS = 200_000  # of the texts of one request: half a minute of MiniLM on one core


class Encoder:
    """Use as `async with`: entering loads the model. Raises RunFailed if the process keeps dying."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._settings = settings
        self._restarts_left = settings.max_restarts
        self._turn = asyncio.Lock()
        self._process: EncoderProcess | None = None
        self._held: NDArray[np.float32] | None = None
        self._cache: VectorCache | None = None
        self.identity = ""

    @property
    def pid(self) -> int | None:
        """Process id of the encoder, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def __aenter__(self) -> "Encoder":
        """Loads the model. Raises ValueError for one that cannot be loaded, or a cache that is none."""
        try:
            self.identity = await self._with_process(self._identity)
            if self._settings.cache is not None:
                self._cache = VectorCache(self._settings.cache, self.identity)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the process."""
        await self._close()
        if self._cache is not None:
            self._cache.close()

    async def vectors(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Unit vectors of the pieces of each text, float32 [pieces, D] each; one piece where a text fits the window."""
        async with self._turn:
            known = {} if self._cache is None else self._cache.find(texts)
            for some in _calls([text for text in dict.fromkeys(texts) if text not in known]):
                found = await self._with_process(
                    lambda process, some=some: process.encode(some, self._settings.deadline_s)  # type: ignore[misc]
                )
                new = dict(zip(some, found, strict=True))
                if self._cache is not None:
                    self._cache.keep(new)
                known |= new
        return [known[text] for text in texts]

    async def hold(self, items: NDArray[np.float32]) -> None:
        """Compare with these vectors from now on, float32 [I, D]."""
        async with self._turn:
            self._held = items
            await self._with_process(lambda process: process.hold(items))

    async def nearest(
        self, vectors: NDArray[np.float32], floor: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of what is held the nearest to each vector, int64 [V], and its cosine, float64 [V], exact above `floor`."""
        async with self._turn:
            return await self._with_process(lambda process: process.nearest(vectors, floor, self._settings.deadline_s))

    @staticmethod
    async def _identity(process: EncoderProcess) -> str:
        return process.identity

    async def _with_process(self, ask: Callable[[EncoderProcess], Awaitable[T]]) -> T:
        while True:
            try:
                if self._process is None:
                    self._process = await EncoderProcess.start(self._settings)
                    if self._held is not None:
                        await self._process.hold(self._held)
                return await ask(self._process)
            except EncoderDied as death:
                await self._close()
                if self._restarts_left == 0:
                    raise RunFailed(
                        f"the embedding encoder died {self._settings.max_restarts + 1} times; the last time: {death}"
                    ) from death
                self._restarts_left -= 1
            except asyncio.CancelledError:  # its answer would be taken for that of the next call
                await self._close()
                raise

    async def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.close()


def _calls(texts: Sequence[str]) -> list[list[str]]:
    """The texts in groups of bounded size, in order; each group has one at least."""
    groups: list[list[str]] = []
    room = 0
    for text in texts:
        if not groups or len(text) > room:
            groups.append([])
            room = _CALL_CHARACTERS
        groups[-1].append(text)
        room -= len(text)
    return groups
