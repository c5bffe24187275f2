"""Query files, read once in batches of bounded size: each row becomes a numbered query of the spool, or a reject.

What is written later is decided by the rows and their order alone, not by batches. An id that was seen before is a
reject, too: which query had it first is known when all was read. Memory holds about 350 bytes for a query (ids, places,
what `FirstPass` keeps), and no text.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reasonmill.engine.curate.decisions import Claims, Decisions, decide, filtered
from reasonmill.engine.curate.decontaminate import Evaluation
from reasonmill.engine.curate.first_pass import FirstPass, Seen
from reasonmill.engine.curate.id_order import Strings, has_id, id_order
from reasonmill.engine.curate.in_order import in_order
from reasonmill.engine.curate.index import Index
from reasonmill.engine.curate.rejects_file import RejectsFile
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.engine.curate.spool import Spool
from reasonmill.engine.records import CATEGORIES, Reject
from reasonmill.engine.store.query_block import QueryBlock
from reasonmill.engine.store.query_blocks import Unread, unread_blocks
from reasonmill.kernels.matches import Matches
from reasonmill.kernels.prints import Prints

BATCH = 2048  # rows that are read at once, by one thread
BATCH_CHARACTERS = 2**23  # of their lines, in bytes, after which a batch is full: long texts do not pile up


def _limited(blocks: Iterator[Unread], limit: int) -> Iterator[Unread]:
    """The rows up to the one with which there are so many ids."""
    ids: set[bytes] = set()
    for unread in blocks:
        block = unread()
        names = [block.ids.bytes[start:end].tobytes() for start, end in pairwise(block.ids.offsets.tolist())]
        for number, name in enumerate(names):
            ids.add(name)
            if len(ids) == limit:
                yield partial(block.first, number + 1)
                return
        yield partial(_given, block)


def _given(block: QueryBlock) -> QueryBlock:
    return block


class Reading:
    """Rows of files. Use as a context manager around all that asks for what was read; it removes the folder."""

    def __init__(
        self,
        folder: Path,
        evaluation: Evaluation,
        settings: CurateSettings,
        *,
        on_progress: Callable[[str], None] = lambda progress: None,
    ) -> None:
        self.spool = Spool(folder)
        self.first_pass = FirstPass(evaluation, settings)
        self.num_rows = 0
        self.paths: tuple[str | Path, ...] = ()
        self._evaluation = evaluation
        self._settings = settings
        self._on_progress = on_progress
        self._folder = folder
        self._stack = ExitStack()
        self._unreadable: RejectsFile  # numbered by the query that follows
        self._filtered: RejectsFile  # numbered by the query
        self._remember: Callable[[], None] = lambda: None
        self._ids: Strings
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._first_with: NDArray[np.int64] = np.empty(0, np.int64)

    def __enter__(self) -> "Reading":
        self._stack.enter_context(self.spool)
        self._unreadable = self._stack.enter_context(closing(RejectsFile(self._folder / "unreadable.jsonl")))
        self._filtered = self._stack.enter_context(closing(RejectsFile(self._folder / "filtered.jsonl")))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, paths: Sequence[str | Path], *, category: str | None = None, limit: int | None = None) -> None:
        """Read the files; `limit`: up to so many ids. Raises FileNotFoundError or ValueError that names a whole file
        that cannot be read, OSError where the folder cannot be written.
        """
        blocks = unread_blocks(paths, category=category, max_rows=BATCH, max_bytes=BATCH_CHARACTERS)
        if limit is not None:
            blocks = _limited(blocks, limit)
        with closing(in_order(blocks, self._look, self._settings.num_threads)) as results:
            for block, seen in results:
                self._add(block, seen)
        self._ids = self.spool.ids
        self._order, self._first_with = id_order(self._ids)
        self.paths = tuple(paths)

    def _look(self, unread: Unread) -> tuple[QueryBlock, Seen]:
        block = unread()
        return block, self.first_pass.look(block.texts, num_threads=1)

    def _add(self, block: QueryBlock, seen: Seen) -> None:
        first = len(self.spool)
        for num_before, reject in block.rejects:
            self._unreadable.add(first + num_before, reject)
        self.spool.add(block)
        self.first_pass.keep(seen)
        for number, finding in seen.findings:
            self._filtered.add(first + number, filtered(self.spool.id(first + number), finding))
        self.num_rows += block.num_rows
        self._on_progress(f"read {self.num_rows:,} rows")

    @property
    def _is_repeated(self) -> NDArray[np.bool_]:
        repeated: NDArray[np.bool_] = self._first_with != np.arange(len(self._first_with))
        return repeated

    @property
    def num_unreadable(self) -> int:
        """Rows that are no query."""
        return len(self._unreadable)

    def check_readable(self, max_share: float, name: str) -> None:
        """Raise ValueError with the first unreadable row if there are more than this share, a setting of that name."""
        if self.num_unreadable > max_share * self.num_rows:
            _, first = next(iter(self._unreadable))
            raise ValueError(
                f"{self.num_unreadable} of {self.num_rows} rows cannot be read, more than {name} = {max_share}; "
                f"the first is {first.evidence['place']}: {first.evidence['error']}"
            )

    def decide(self, index: Index | None = None, inputs: str = "") -> Decisions:
        """What is kept of all that was read, beside what `index` knows; `inputs` names what was read.

        `remember` tells the index what is kept.
        """
        loose = np.array([category not in self._settings.number_guard for category in CATEGORIES], np.bool_)
        loose = loose[self.spool.categories]
        active = ~self._is_repeated
        active[np.array(self._filtered.numbers, np.int64)] = False
        matches = self.first_pass.take_matches()
        if index is None:
            self.spool.seal()
            prints = self.first_pass.take_prints()
            return self._decide(prints, matches, Claims(order=self._order, active=active, loose=loose))
        known = index.known(self.first_pass.prints, inputs)
        self.spool.add_known(known.ids, known.texts)
        self.spool.seal()
        prints = self.first_pass.take_prints(known.prints)
        is_known = np.arange(len(prints)) >= len(self.spool)
        claims = Claims(
            order=np.concatenate((np.flatnonzero(is_known), self._order)),
            active=np.concatenate((active, np.ones(len(known.ids), np.bool_))),
            loose=np.concatenate((loose, known.loose)),
            settled=is_known,
        )
        decisions = self._decide(prints, matches, claims)
        self._remember = partial(self._add_to, index, prints, claims.loose, decisions, inputs)
        return decisions

    def remember(self) -> None:
        """Tell the index that was decided with, if there was one, what is kept: whatever was taken out of the decisions
        since is not.
        """
        self._remember()

    def _add_to(
        self, index: Index, prints: Prints, loose: NDArray[np.bool_], decisions: Decisions, inputs: str
    ) -> None:
        index.add(self.spool, prints, loose, self._order[decisions.left[self._order]], inputs)

    def _decide(self, prints: Prints, matches: Matches, claims: Claims) -> Decisions:
        return decide(self.spool.texts, self.spool.text, prints, matches, claims, self._evaluation, self._settings)

    def unreadable(self) -> Iterator[tuple[int, Reject]]:
        """Rows that are no query, each with the number of the query that follows."""
        return iter(self._unreadable)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """(query, the earlier query that has its id), ascending."""
        for number in np.flatnonzero(self._is_repeated).tolist():
            yield number, int(self._first_with[number])

    def rows_of(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows that queries were, by number from 0 over all files: those that are no query count, too."""
        before: NDArray[np.int64] = np.searchsorted(np.array(self._unreadable.numbers, np.int64), numbers, side="right")
        return numbers + before

    def filtered(self) -> Iterator[Reject]:
        """What the filters removed, in input order."""
        repeated = self._is_repeated
        return (reject for number, reject in self._filtered if not repeated[number])

    def has_id(self, name: str) -> bool:
        """Whether a query has this id."""
        return has_id(self._ids, self._order, name.encode("utf-8", "surrogatepass"))
