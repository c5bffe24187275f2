"""Preference pairs as documents of a packed set: a chosen and a rejected response to the same turns always stand in
the same row, next to each other, so that their loss is that of one row.

On disk a pair is one document: prompt and chosen response, then prompt and rejected response. Only responses are
targets, so the pair comes apart again behind the first run of targets; nothing but `pairs.json` tells such a set from
one of samples.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from reasonmill.packing.chat import ChatEncoder, Encoded
from reasonmill.packing.reader import PackedReader, PackedRow
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.writer import PackedWriter

PAIRS = "pairs.json"
_BATCH = 128  # pairs tokenised at once, on all cores
_SYNC_TOKENS = 16 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """`turns` are (role, content) up to the one that is answered; `chosen` is the better answer."""

    name: str
    turns: tuple[tuple[str, str], ...]
    chosen: str
    rejected: str


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """What became of the pairs; `too_long` and `unencodable` (with the reason) name those left out."""

    num_pairs: int
    num_rows: int
    num_tokens: int
    num_targets: int
    fill: float
    too_long: tuple[str, ...]
    unencodable: tuple[tuple[str, str], ...]


def encode_pair(chosen: Encoded, rejected: Encoded) -> Encoded:
    """Both conversations as one document."""
    return Encoded(
        input_ids=np.concatenate([chosen.input_ids, rejected.input_ids]),
        target=np.concatenate([chosen.target, rejected.target]),
    )


def pack_pairs(
    pairs: Iterable[Pair], folder: str | Path, *, tokenizer_dir: str | Path, settings: PackSettings
) -> PairCounts:
    """Pack the pairs into `folder`. Raises ValueError when it already holds a packed set."""
    writer = PackedWriter(
        folder,
        max_length=settings.max_length,
        window_documents=settings.window,
        min_fill=settings.min_fill,
        max_wait_documents=settings.max_wait_documents,
    )
    (Path(folder) / PAIRS).write_bytes(orjson.dumps({"format": 1}))  # before the first row can be read
    too_long: list[str] = []
    unencodable: list[tuple[str, str]] = []
    unsynced = 0
    for pair, encoded in _encoded(pairs, ChatEncoder(tokenizer_dir)):
        if isinstance(encoded, ValueError):
            unencodable.append((pair.name, str(encoded)))
        elif not writer.append(encoded.input_ids, encoded.target, document=pair.name):
            too_long.append(pair.name)
        else:
            unsynced += len(encoded.input_ids)
            if unsynced >= _SYNC_TOKENS:
                writer.sync()
                unsynced = 0
    writer.publish(writer.finish())
    reader = PackedReader(folder)
    return PairCounts(
        num_pairs=reader.num_documents,
        num_rows=reader.num_rows,
        num_tokens=reader.num_tokens,
        num_targets=reader.num_targets,
        fill=reader.fill,
        too_long=tuple(too_long),
        unencodable=tuple(unencodable),
    )


def _encoded(pairs: Iterable[Pair], encoder: ChatEncoder) -> Iterator[tuple[Pair, Encoded | ValueError]]:
    remaining = iter(pairs)
    while batch := list(islice(remaining, _BATCH)):
        both = encoder.encode_batch(
            [(*pair.turns, ("assistant", text)) for pair in batch for text in (pair.chosen, pair.rejected)]
        )
        for pair, chosen, rejected in zip(batch, both[::2], both[1::2], strict=True):
            if isinstance(chosen, ValueError):
                yield pair, ValueError(f"chosen: {chosen}")
            elif isinstance(rejected, ValueError):
                yield pair, ValueError(f"rejected: {rejected}")
            else:
                yield pair, encode_pair(chosen, rejected)


def holds_pairs(folder: str | Path) -> bool:
    """Whether a packed folder is one of pairs."""
    return (Path(folder) / PAIRS).is_file()


class PairReader(PackedReader):
    """A packed set of pairs (`holds_pairs`). `row`, `rows` and `lengths_of` give two documents for each pair, the
    chosen one first.
    """

    def rows(self, indices: Sequence[int]) -> PackedRow:
        """Rows of P pairs in all as 2 P documents; `documents` are the numbers of the pairs. Raises ValueError naming a
        damaged file, or a document that is no pair.
        """
        row = super().rows(indices)
        lengths = np.concatenate([np.zeros(0, np.int64), *(self.lengths_of(index) for index in indices)])
        ends = np.concatenate(([0], np.cumsum(lengths)))
        return PackedRow(
            input_ids=row.input_ids,
            position_ids=np.arange(ends[-1]) - np.repeat(ends[:-1], lengths),
            labels=row.labels,
            cu_seqlens=ends.astype(np.int32),
            documents=row.documents,
        )

    def lengths_of(self, index: int) -> NDArray[np.int64]:
        """Tokens of the chosen and of the rejected conversation of each pair, int64[2 P]; reads no tokens but which
        are targets. Raises as `row`.
        """
        places, found = self.places(index), []
        for first_byte, length in zip(places.first_mask_byte.tolist(), places.lengths.tolist(), strict=True):
            bits = self.target_bits[first_byte : first_byte + (length + 7) // 8]
            chosen = _first_length(np.unpackbits(bits, count=length, bitorder="little"))
            if chosen is None:
                raise ValueError(f"row {index} of {str(self.folder)!r} holds a document that is no pair")
            found += [chosen, length - chosen]
        return np.array(found, np.int64)

    def row_pairs(self, index: int) -> int:
        """Number of pairs in a row; reads no tokens."""
        return len(self._members(index))


def _first_length(is_target: NDArray[np.uint8]) -> int | None:
    """Tokens up to the end of the first run of targets; None where no second run follows."""
    first = int(is_target.argmax())
    length = first + int(is_target[first:].argmin())
    return length if is_target[first] and length > first and is_target[length:].any() else None
