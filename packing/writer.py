"""Documents in, a packed folder out. A crash at any moment loses only what was not yet synced, and what a reader has
seen is never taken back.

    state = writer.sync()       # on disk, checksummed, not yet visible
    ...journal the state...
    writer.publish(state)       # visible

A writer opened with a journaled state cuts the files back to it and goes on as if nothing had happened after it.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from reasonmill.packing.layout import (
    CHUNKS,
    DATA_FILES,
    DOCUMENT,
    FIRST_LINK,
    FORMAT,
    PUBLISHED,
    ROW,
    next_link,
    parse_published,
    seal,
)
from reasonmill.packing.stream import MIN_FILL, Row, RowPacker

_TOTALS = ("num_documents", "num_rows", "num_tokens", "num_targets", "num_row_tokens")


class PackedWriter:
    """The only writer of `folder`. `state` is what `sync()` returned last before the caller's last commit, or None."""

    def __init__(
        self,
        folder: str | Path,
        *,
        max_length: int,
        state: dict[str, Any] | None = None,
        window_documents: int = 1024,
        min_fill: float = MIN_FILL,
        max_wait_documents: int = 0,
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.max_length = max_length
        if state is None:
            state = _empty_state(RowPacker(max_length, window_documents, min_fill, max_wait_documents))
        _check_state(state, max_length, self.folder)
        self._totals: dict[str, int] = {name: state[name] for name in _TOTALS}
        self._sizes: dict[str, int] = dict(state["sizes"])
        self._link: str = state["link"]
        self._finished: bool = state["finished"]
        self._packer = RowPacker.from_state(state["packer"])
        self._pending_targets: dict[int, int] = {int(k): v for k, v in state["waiting_targets"]}
        self._check_published(state)
        for name, size in self._sizes.items():
            _cut(self.folder / name, size)
        self._buffers: dict[str, list[bytes]] = {name: [] for name in DATA_FILES}
        self._ends = {name: self._sizes[name] for name in DATA_FILES}  # sizes with what is still in the buffers
        if state["num_documents"]:
            self.publish(state)

    @property
    def num_documents(self) -> int:
        """Documents appended so far."""
        return self._totals["num_documents"]

    @property
    def num_rows(self) -> int:
        """Rows that left the packer so far."""
        return self._totals["num_rows"]

    @property
    def fill(self) -> float:
        """Share of the slots of the rows so far that hold a token; 1.0 before the first row."""
        slots = self._totals["num_rows"] * self.max_length
        return self._totals["num_row_tokens"] / slots if slots else 1.0

    def append(self, input_ids: NDArray[np.uint32], target: NDArray[np.bool_], *, document: str) -> bool:
        """Take in a document of L tokens, uint32[L], with bool[L] marking what the loss is taken of.

        False, and nothing is taken in, when it is longer than a row. Raises ValueError for a document without tokens
        or targets, for unequal shapes, and once the set is finished.
        """
        if self._finished:
            raise ValueError(f"packed set {str(self.folder)!r} is finished, document {document!r} cannot be added")
        if input_ids.ndim != 1 or input_ids.shape != target.shape:
            raise ValueError(f"document {document!r}: ids have shape {input_ids.shape}, targets {target.shape}")
        length, num_targets = len(input_ids), int(np.count_nonzero(target[1:]))  # nothing predicts the first token
        if length == 0 or num_targets == 0:
            raise ValueError(f"document {document!r} has {length} tokens and {num_targets} targets")
        if length > self.max_length:
            return False
        number = self._totals["num_documents"]
        mask = np.packbits(target, bitorder="little").tobytes()
        entry = np.array([(self._totals["num_tokens"], self._ends["targets.bits"], length, num_targets)], DOCUMENT)
        self._put("tokens.u32", input_ids.astype("<u4", copy=False).tobytes())
        self._put("targets.bits", mask)
        self._put("documents.bin", entry.tobytes())
        self._put("names.jsonl", orjson.dumps(document) + b"\n")
        self._totals["num_documents"] += 1
        self._totals["num_tokens"] += length
        self._totals["num_targets"] += num_targets
        self._pending_targets[number] = num_targets
        self._put_rows(self._packer.add(number, length))
        return True

    @property
    def oldest_waiting(self) -> int | None:
        """Number of the document that waits longest for its row; None when all have theirs."""
        return self._packer.oldest

    def leave_before(self, number: int) -> None:
        """Give a row, however full, to every document that waits and is older than the `number`-th."""
        self._put_rows(self._packer.leave_before(number))

    def sync(self) -> dict[str, Any]:
        """Put everything appended so far on disk, durably, and return the state that names it: a JSON value.

        After an OSError (a full disk) the files are as before, and the same call may be made again.
        """
        added = {name: b"".join(parts) for name, parts in self._buffers.items() if parts}
        if added:
            body = {
                "totals": dict(self._totals),
                "sizes": {name: self._sizes[name] + len(added.get(name, b"")) for name in DATA_FILES},
                "xxh3": {name: str(xxhash.xxh3_64_hexdigest(part)) for name, part in added.items()},
            }
            link = next_link(self._link, body)
            added[CHUNKS] = orjson.dumps({**body, "link": link}, option=orjson.OPT_SORT_KEYS) + b"\n"
            self._write(added)
            self._link = link
        return {
            "format": FORMAT,
            "max_length": self.max_length,
            **self._totals,
            "sizes": dict(self._sizes),
            "link": self._link,
            "finished": self._finished,
            "packer": self._packer.state(),
            "waiting_targets": [list(item) for item in self._pending_targets.items()],
        }

    def publish(self, state: dict[str, Any]) -> None:
        """Make a synced state visible to readers, in one rename."""
        visible = {
            "format": FORMAT,
            "max_length": state["max_length"],
            **{name: state[name] for name in _TOTALS},
            "chunks_size": state["sizes"][CHUNKS],
            "link": state["link"],
            "finished": state["finished"],
        }
        aside = self.folder / f".{PUBLISHED}.partial"
        with aside.open("wb") as file:
            file.write(orjson.dumps({**visible, "seal": seal(visible)}, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self.folder / PUBLISHED)
        _sync_folder(self.folder)

    def finish(self) -> dict[str, Any]:
        """Give the waiting documents their rows and close the set; returns the state like `sync`, not yet published."""
        if not self._finished:
            self._put_rows(self._packer.flush())
            self._finished = True
        return self.sync()

    def _put(self, name: str, added: bytes) -> None:
        self._buffers[name].append(added)
        self._ends[name] += len(added)

    def _put_rows(self, rows: list[Row]) -> None:
        for row in rows:
            num_targets = sum(self._pending_targets.pop(number) for number in row.documents)
            self._put("members.u32", np.array(row.documents, "<u4").tobytes())
            self._put(
                "rows.bin", np.array([(self._ends["members.u32"] // 4, row.num_tokens, num_targets)], ROW).tobytes()
            )
            self._totals["num_rows"] += 1
            self._totals["num_row_tokens"] += row.num_tokens

    def _write(self, added: dict[str, bytes]) -> None:
        """Append to all files or, when one cannot take it, to none."""
        try:
            for name, part in added.items():
                with (self.folder / name).open("ab") as file:
                    file.write(part)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError:
            for name in added:
                _cut(self.folder / name, self._sizes[name])
            raise
        for name, part in added.items():
            self._sizes[name] += len(part)
            self._buffers.get(name, []).clear()

    def _check_published(self, state: dict[str, Any]) -> None:
        path = self.folder / PUBLISHED
        if not path.exists():
            return
        visible = parse_published(path.read_bytes(), path)
        for name in ("num_documents", "num_rows"):
            if visible[name] > state[name]:
                raise ValueError(
                    f"{str(path)!r} shows {visible[name]} ({name}) to readers, the state to go on from has only "
                    f"{state[name]}: it is not this folder's last one"
                )


def _empty_state(packer: RowPacker) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "max_length": packer.capacity,
        **dict.fromkeys(_TOTALS, 0),
        "sizes": dict.fromkeys((*DATA_FILES, CHUNKS), 0),
        "link": FIRST_LINK,
        "finished": False,
        "packer": packer.state(),
        "waiting_targets": [],
    }


def _check_state(state: dict[str, Any], max_length: int, folder: Path) -> None:
    if state.get("format") != FORMAT:
        raise ValueError(f"packed set {str(folder)!r}: state of format {state.get('format')!r}, expected {FORMAT}")
    if state["max_length"] != max_length:
        raise ValueError(
            f"max_length: {max_length} differs from the {state['max_length']} that {str(folder)!r} was begun with"
        )


def _cut(path: Path, size: int) -> None:
    """Cut the file back to `size` bytes. Raises ValueError when it is shorter."""
    with path.open("ab") as file:
        found = file.tell()
        if found < size:
            raise ValueError(f"packed file {str(path)!r} has {found} bytes, the state to go on from names {size}")
        file.truncate(size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
