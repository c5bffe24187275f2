"""What must hold of the packed set that a training is given: it is of the student's tokenizer, and on resuming it is
the one that the checkpoint was trained on. Told from its first row, since rows that were published never change.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

from reasonmill.packing.chat import ChatEncoder
from reasonmill.packing.layout import PUBLISHED
from reasonmill.packing.reader import PackedReader


def mark_of(reader: PackedReader) -> str:
    """Tells a set with at least one row from others, while it grows too. Raises ValueError naming a damaged file."""
    row = reader.row(0)
    digest = xxhash.xxh3_64(b"%d\n" % reader.max_length)
    for values in (row.input_ids, row.labels, row.cu_seqlens):
        digest.update(values.tobytes())
    for name in reader.names_of(0):
        digest.update(name.encode("utf-8", "surrogatepass") + b"\n")
    return str(digest.hexdigest())


def seal_of(reader: PackedReader) -> str | None:
    """Tells a finished set from every other; None while it grows."""
    return xxhash.xxh3_64_hexdigest((reader.folder / PUBLISHED).read_bytes()) if reader.finished else None


def check_mark(reader: PackedReader, facts: Mapping[str, Any], checkpoint: Path) -> None:
    """Raise ValueError where the checkpoint of these facts was made on another set; one without rows may yet be it."""
    then = facts.get("rows")
    if then is not None and reader.num_rows and then != mark_of(reader):
        raise ValueError(
            f"packed set {str(reader.folder)!r} is not the one that checkpoint {str(checkpoint)!r} was trained on:"
            " give that one, or another --output-dir"
        )


def check_tokenizer(reader: PackedReader, tokenizer: str) -> None:
    """Raise ValueError where the documents of the first row do not end as conversations of this tokenizer do."""
    if not reader.num_rows:
        return
    encoder, row = ChatEncoder(tokenizer), reader.row(0)
    largest, ends = int(row.input_ids.max()), set(row.input_ids[row.cu_seqlens[1:] - 1].tolist())
    if largest >= encoder.vocab_size or ends != {encoder.end_token_id}:
        why = f"token {largest} of {encoder.vocab_size}"
        if largest < encoder.vocab_size:
            why = f"documents end with token {min(ends - {encoder.end_token_id})}, not {encoder.end_token_id}"
        raise ValueError(
            f"packed set {str(reader.folder)!r} was packed with another tokenizer than pack.tokenizer {tokenizer!r}:"
            f" {why}"
        )
