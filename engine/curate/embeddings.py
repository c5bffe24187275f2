"""Decontamination by embedding: a query whose cosine to an evaluation item is above the threshold is removed.

The encoder is a process of its own, so that the coordinator loads no torch and never waits for it; if it dies it is
started again and the same texts are encoded anew, `max_restarts` times in all. A cosine equal to the threshold is kept.
The packaged model reads the first 256 tokens of a text and hardly sees numbers: list sets whose questions differ from
the queries in their numbers alone with the rule containment.
"""

import asyncio
from collections.abc import Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.decontaminate import EvaluationItem
from reasonmill.engine.curate.encoder_process import EncoderDied, EncoderProcess
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.faults import RunFailed
from reasonmill.engine.records import Query, Reject

_SHOWN = 240  # characters of the item in the evidence
_DECIMALS = 6  # float32 cosines are rounded to this, so that equal means equal
_ITEMS_PER_CALL = 1024


def nearest(
    queries_QD: NDArray[np.float32],  # noqa: N803  # Q queries, D dimensions, I items
    items_ID: NDArray[np.float32],  # noqa: N803
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Item with the largest cosine to each query, int64 [Q], and that cosine, float64 [Q]; rows are unit vectors."""
    cosines_QI = np.round((queries_QD @ items_ID.T).astype(np.float64), _DECIMALS)  # noqa: N806
    best = cosines_QI.argmax(axis=1)
    return best, cosines_QI[np.arange(len(best)), best]


class EmbeddingDecontaminator:
    """Compares queries with the evaluation items that list the rule `embedding`. Use as `async with`."""

    def __init__(self, evaluation: Sequence[EvaluationItem], settings: CurateSettings) -> None:
        self._items = [item for item in evaluation if "embedding" in item.rules]
        self._settings = settings.embeddings
        self._restarts_left = settings.embeddings.max_restarts
        self._turn = asyncio.Lock()
        self._encoder: EncoderProcess | None = None
        self._items_ID = np.empty((0, 0), np.float32)

    @property
    def encoder_pid(self) -> int | None:
        """Process id of the encoder, None while there is none."""
        return self._encoder.pid if self._encoder is not None else None

    async def __aenter__(self) -> "EmbeddingDecontaminator":
        """Loads the model and encodes the items; neither happens where there is none.

        Raises ValueError for a model that cannot be loaded, RunFailed if the encoder keeps dying.
        """
        if self._items and self._settings.enabled:
            try:
                texts = [item.text for item in self._items]
                blocks = range(0, len(texts), _ITEMS_PER_CALL)
                vectors = [await self._encode(texts[at : at + _ITEMS_PER_CALL]) for at in blocks]
            except BaseException:
                await self._close()
                raise
            self._items_ID = np.concatenate(vectors)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the encoder."""
        await self._close()

    async def check(self, queries: Sequence[Query]) -> list[Reject | None]:
        """For each query its Reject, or None where it is kept. Raises RunFailed if the encoder keeps dying."""
        if not queries or not len(self._items_ID):
            return [None] * len(queries)
        async with self._turn:
            vectors = await self._encode([query.text for query in queries])
        best, cosines = nearest(vectors, self._items_ID)
        return [
            self._reject(query, self._items[item], cosine) if cosine > self._settings.threshold else None
            for query, item, cosine in zip(queries, best.tolist(), cosines.tolist(), strict=True)
        ]

    def _reject(self, query: Query, item: EvaluationItem, cosine: float) -> Reject:
        return Reject(
            query_id=query.id,
            stage="decontaminate",
            reason="contaminated_embedding",
            evidence={
                "item": item.id,
                "evaluation_set": item.set_name,
                "rule": "embedding",
                "cosine": cosine,
                "matched": item.text[:_SHOWN],
            },
        )

    async def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        while True:
            try:
                if self._encoder is None:
                    self._encoder = await EncoderProcess.start(self._settings)
                return await self._encoder.encode(texts, self._settings.deadline_s)
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
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            await encoder.close()
