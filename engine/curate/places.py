"""Where rows stand: looked up again for the few that a message names, so that reading keeps no line for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.store.rows import read_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Of some rows, known by their number over all files, int64 [P] ascending: the file, int64 [P], and the line."""

    paths: Sequence[str | Path]
    rows: NDArray[np.int64]
    files: NDArray[np.int64]
    lines: NDArray[np.int64]

    def __call__(self, row: int) -> str:
        """FILE:LINE of one of them."""
        at = int(np.searchsorted(self.rows, row))
        assert self.rows[at] == row, "a row whose place was not asked for"
        return f"{self.paths[self.files[at]]}:{self.lines[at]}"


def places_of(paths: Sequence[str | Path], rows: NDArray[np.int64]) -> Places:
    """The places of the rows with these numbers, from 0 in the order of the files; reads them up to the last.

    Raises ValueError for files that have lost rows since.
    """
    wanted = np.unique(rows)
    files, lines = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64)
    at = number = 0
    for file, path in enumerate(paths):
        if at == len(wanted):
            break
        for row in read_rows(path):
            if number == wanted[at]:
                files[at], lines[at] = file, row.line
                at += 1
                if at == len(wanted):
                    break
            number += 1
    if at < len(wanted):
        raise ValueError(f"{', '.join(map(str, paths))}: a row that was read is gone: a file changed meanwhile")
    return Places(paths=paths, rows=wanted, files=files, lines=lines)
