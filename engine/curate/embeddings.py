"""Decontamination by embedding: a query whose cosine to an evaluation item is above the threshold is removed.

A text longer than the model's window is compared piece by piece, and its likest piece counts. A cosine equal to the
threshold is kept. Models hardly see numbers: list sets whose questions differ from the queries in their numbers alone
with the rule containment.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType

import numpy as np

from reasonmill.engine.curate.encoder import Encoder
from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.profile import threshold_for
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.records import Query, Reject

_SHOWN = 240  # characters of the item in the evidence
_ITEMS_PER_CALL = 1024


class EmbeddingDecontaminator:
    """Compares queries with the evaluation items that list the rule `embedding`. Use as `async with`."""

    def __init__(
        self, evaluation: Sequence[EvaluationItem], settings: CurateSettings, *, encoder: Encoder | None = None
    ) -> None:
        """`encoder` is one that is open; without it an encoder of its own lives as long as the block."""
        self._items = [item for item in evaluation if "embedding" in item.rules]
        self._settings = settings.embeddings
        self._encoder = encoder
        self._stack = AsyncExitStack()
        self._owner: list[int] = []  # item of each vector that is held
        self._threshold = 1.0

    @property
    def encoder_pid(self) -> int | None:
        """Process id of the encoder, None while there is none."""
        return self._encoder.pid if self._encoder is not None else None

    async def __aenter__(self) -> "EmbeddingDecontaminator":
        """Loads the model and encodes the items; neither happens where there is none.

        Raises ValueError for a model that cannot be loaded or another's profile, RunFailed if the encoder keeps dying.
        """
        if self._items and self._settings.enabled:
            async with AsyncExitStack() as stack:
                if self._encoder is None:
                    self._encoder = await stack.enter_async_context(Encoder(self._settings))
                self._threshold = threshold_for(self._settings, self._encoder.identity)
                await self._hold(self._encoder)
                self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the encoder, if it is its own."""
        await self._stack.aclose()

    async def check(self, queries: Sequence[Query]) -> list[Reject | None]:
        """For each query its Reject, or None where it is kept. Raises RunFailed if the encoder keeps dying."""
        if not queries or not self._owner or self._encoder is None:
            return [None] * len(queries)
        pieces = await self._encoder.vectors([query.text for query in queries])
        best, cosines = await self._encoder.nearest(np.concatenate(pieces), self._threshold)
        rejects: list[Reject | None] = []
        end = 0
        for query, of_query in zip(queries, pieces, strict=True):
            start, end = end, end + len(of_query)
            likest = start + int(cosines[start:end].argmax())
            cosine = float(cosines[likest])
            item = self._items[self._owner[int(best[likest])]]
            parts = (likest - start, len(of_query))
            rejects.append(_reject(query, item, cosine, parts) if cosine > self._threshold else None)
        return rejects

    async def _hold(self, encoder: Encoder) -> None:
        pieces = []
        for start in range(0, len(self._items), _ITEMS_PER_CALL):
            pieces.extend(await encoder.vectors([item.text for item in self._items[start : start + _ITEMS_PER_CALL]]))
        self._owner = [owner for owner, of_item in enumerate(pieces) for _ in of_item]
        await encoder.hold(np.concatenate(pieces))


def _reject(query: Query, item: EvaluationItem, cosine: float, parts: tuple[int, int]) -> Reject:
    piece, num_pieces = parts
    evidence = {
        "item": item.id,
        "evaluation_set": item.set_name,
        "rule": "embedding",
        "cosine": cosine,
        "matched": item.text[:_SHOWN],
    }
    if num_pieces > 1:
        evidence |= {"piece": piece + 1, "pieces": num_pieces}
    return Reject(query_id=query.id, stage="decontaminate", reason="contaminated_embedding", evidence=evidence)
