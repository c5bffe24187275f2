"""Conversations to a finished packed set in one go; the file-to-file form of what a run does sample by sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.settings import PackSettings
from reasonmill.packing.writer import PackedWriter

_SYNC_TOKENS = 16 * 2**20  # tokens of a checksummed chunk: 64 MiB of ids


@dataclass(frozen=True, kw_only=True)
class PackCounts:
    """What `pack_documents` wrote. `too_long` names the documents left out; `fill` is the rows' share of tokens."""

    num_documents: int
    num_rows: int
    num_tokens: int
    num_targets: int
    fill: float
    too_long: tuple[str, ...]


def pack_documents(
    documents: Iterable[tuple[str, Sequence[tuple[str, str]]]],
    folder: str | Path,
    *,
    tokenizer_dir: str | Path,
    settings: PackSettings,
) -> PackCounts:
    """Pack (name, turns) pairs, turns being (role, content) and ending with the assistant's, into `folder`.

    Raises ValueError when `folder` already holds a packed set, or naming the document that cannot be encoded.
    """
    encoder = ChatEncoder(tokenizer_dir)
    writer = PackedWriter(
        folder,
        max_length=settings.max_length,
        window_documents=settings.window_documents,
        min_fill=settings.min_fill,
    )
    too_long: list[str] = []
    unsynced = 0
    for name, turns in documents:
        try:
            encoded = encoder.encode(turns)
        except ValueError as error:
            raise ValueError(f"document {name!r}: {error}") from None
        if not writer.append(encoded.input_ids, encoded.target, document=name):
            too_long.append(name)
            continue
        unsynced += len(encoded.input_ids)
        if unsynced >= _SYNC_TOKENS:
            writer.sync()
            unsynced = 0
    state = writer.finish()
    writer.publish(state)
    return PackCounts(
        num_documents=state["num_documents"],
        num_rows=state["num_rows"],
        num_tokens=state["num_tokens"],
        num_targets=state["num_targets"],
        fill=writer.fill,
        too_long=tuple(too_long),
    )
