"""Files of a packed folder. What `published.json` names is complete on disk, checksummed, and never changes again.

| file | holds | grows by |
|---|---|---|
| `tokens.u32` | token ids of all documents, little-endian uint32 | length of the document |
| `targets.bits` | one bit a token (1: target of the loss), low bit first; documents start a byte | ceil(length / 8) |
| `documents.bin` | per document: first token, first mask byte (u8 each), length, targets (u4 each) | 24 bytes |
| `names.jsonl` | per document its name, a JSON string a line | a line |
| `members.u32` | document numbers of all rows, one row after another | documents of the row |
| `rows.bin` | per row: end of its members (u8), tokens (u4), targets (u4) | 16 bytes |
| `chunks.jsonl` | per chunk: totals and file sizes after it, xxh3 of what it added to each file, a link | a line |
| `published.json` | totals, the chain's last link, size of `chunks.jsonl`, if more will come, a seal | is replaced |
"""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import xxhash

FORMAT = 1
PUBLISHED = "published.json"
CHUNKS = "chunks.jsonl"
DATA_FILES = ("tokens.u32", "targets.bits", "documents.bin", "names.jsonl", "members.u32", "rows.bin")
FIRST_LINK = "0" * 16

DOCUMENT = np.dtype([("first_token", "<u8"), ("first_mask_byte", "<u8"), ("length", "<u4"), ("num_targets", "<u4")])
ROW = np.dtype([("members_end", "<u8"), ("num_tokens", "<u4"), ("num_targets", "<u4")])


def next_link(link: str, body: dict[str, Any]) -> str:
    """The chain after a chunk: 16 hex digits that depend on every chunk so far."""
    return str(xxhash.xxh3_64_hexdigest(link.encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)))


def seal(body: dict[str, Any]) -> str:
    """Checksum of `published.json` without its seal."""
    return str(xxhash.xxh3_64_hexdigest(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)))


def parse_record(text: bytes, path: Path) -> dict[str, Any]:
    """A JSON record of the file. Raises ValueError naming it for anything else."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"packed file {str(path)!r} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"packed file {str(path)!r} is damaged: {value!r} is no record")
    return value


def parse_published(text: bytes, path: Path) -> dict[str, Any]:
    """What `published.json` says, without its seal. Raises ValueError naming it where it is foreign or damaged."""
    visible = parse_record(text, path)
    if visible.get("format") != FORMAT:
        raise ValueError(f"packed file {str(path)!r} has format {visible.get('format')!r}, expected {FORMAT}")
    if visible.pop("seal", None) != seal(visible):
        raise ValueError(f"packed file {str(path)!r} is damaged: wrong checksum")
    return visible
