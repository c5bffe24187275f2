"""Which texts stand for which, by their vectors: exact, whatever the blocks in which the work is done.

Texts of one pool are taken in order. One is left out if it is closer than the threshold to a text that was kept before
it, and the closest of those stands for it: nothing is left out on account of a text that was left out itself. A fast
product proposes pairs, a cosine in float64 decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.embedding_search import DECIMALS, MARGIN

_BLOCK = 1024  # texts that are compared at once
_CHUNK = 16_384  # kept texts that they are compared with at once: 32 MiB of scores
_EXACT_PAIRS = 2**16  # whose cosines are computed at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Of N texts: `kept_as` int64 [N] (the text that stands for each, itself where it is kept), `cosine` float64 [N]
    (of the two, 1 where it is kept).
    """

    kept_as: NDArray[np.int64]
    cosine: NDArray[np.float64]


class Proposer(Protocol):
    """Names pairs of one pool that may be close."""

    def pairs(
        self, start: int, end: int, kept: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Texts from `start` to `end` with texts before each: of `kept` ones below `start`, and any from `start` on."""
        ...


class Product:
    """All products, in blocks: misses nothing. In float32 without a device, else in bfloat16 on it, by torch."""

    def __init__(self, vectors_ND: NDArray[np.float32], threshold: float, device: str | None) -> None:  # noqa: N803
        self._floor = threshold - MARGIN
        self._rough_ND: Any = np.ascontiguousarray(vectors_ND)
        self._device = device
        if device is not None:
            import torch

            # they stay in memory: what is compared goes to the device block by block
            self._rough_ND = torch.from_numpy(np.array(vectors_ND, np.float32)).to(torch.bfloat16)

    def pairs(
        self, start: int, end: int, kept: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """See Proposer."""
        block = self._there(self._rough_ND[start:end])
        for at in range(0, len(kept), _CHUNK):
            some = kept[at : at + _CHUNK]
            rows, columns = self._close(block, self._there(self._rough_ND[some]))
            yield start + rows, some[columns]
        rows, columns = self._close(block, block)
        before = columns < rows
        yield start + rows[before], start + columns[before]

    def _there(self, rows: Any) -> Any:
        return rows if self._device is None else rows.to(self._device)

    def _close(self, left: Any, right: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        close = (left @ right.T) >= self._floor
        if self._device is None:
            rows, columns = close.nonzero()
        else:
            rows, columns = (places.cpu().numpy() for places in close.nonzero(as_tuple=True))
        return rows, columns


def standing(
    vectors_ND: NDArray[np.float32],  # noqa: N803  # N texts, D dimensions
    pools: NDArray[np.uint64],
    threshold: float,
    *,
    device: str | None = None,
    index_above: int | None = None,
    block: int = _BLOCK,
) -> Standing:
    """Rows are unit vectors in the order in which texts claim to be kept; those of a pool are compared, uint64 [N].

    Pools of more than `index_above` texts are searched by an index instead, which may miss pairs.
    """
    count = len(pools)
    found = Standing(kept_as=np.arange(count), cosine=np.ones(count))
    order = np.argsort(pools, kind="stable")
    edges = np.flatnonzero(np.diff(pools[order])) + 1
    for start, end in pairwise([0, *edges.tolist(), count]):
        if end - start > 1:
            members = order[start:end]
            proposer: Proposer
            if index_above is not None and end - start > index_above:
                from reasonmill.engine.curate.semantic_index import IndexProposer

                proposer = IndexProposer(vectors_ND[members], threshold)
            else:
                proposer = Product(vectors_ND[members], threshold, device)
            _stand(vectors_ND, members, proposer, threshold, block, found)
    return found


def _stand(
    vectors_ND: NDArray[np.float32],  # noqa: N803
    members: NDArray[np.int64],
    proposer: Proposer,
    threshold: float,
    block: int,
    found: Standing,
) -> None:
    """Settle one pool; `members` are its rows in order."""
    is_kept = np.ones(len(members), np.bool_)
    kept = np.empty(0, np.int64)
    for start in range(0, len(members), block):
        end = min(start + block, len(members))
        closest: dict[int, list[tuple[float, int]]] = {}
        for texts, others in proposer.pairs(start, end, kept):
            for text, other, cosine in _exact(vectors_ND, members, texts, others, threshold):
                closest.setdefault(text, []).append((cosine, -other))
        for text in sorted(closest):
            standing_for = [(cosine, other) for cosine, other in closest[text] if is_kept[-other]]
            if standing_for:
                cosine, other = max(standing_for)  # of equals the first
                is_kept[text] = False
                found.kept_as[members[text]] = members[-other]
                found.cosine[members[text]] = cosine
        kept = np.concatenate((kept, start + np.flatnonzero(is_kept[start:end])))


def _exact(
    vectors_ND: NDArray[np.float32],  # noqa: N803
    members: NDArray[np.int64],
    texts: NDArray[np.int64],
    others: NDArray[np.int64],
    threshold: float,
) -> Iterator[tuple[int, int, float]]:
    """Pairs whose cosine is above the threshold."""
    for at in range(0, len(texts), _EXACT_PAIRS):
        some, partners = texts[at : at + _EXACT_PAIRS], others[at : at + _EXACT_PAIRS]
        left = vectors_ND[members[some]].astype(np.float64)
        cosines = np.round(np.einsum("pd,pd->p", left, vectors_ND[members[partners]].astype(np.float64)), DECIMALS)
        close = cosines > threshold
        yield from zip(some[close].tolist(), partners[close].tolist(), cosines[close].tolist(), strict=True)
