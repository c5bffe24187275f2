"""A file that is there whole or not at all: written aside in its own folder, synced, renamed, the folder synced.

A write that fails (a full disk, say) leaves no part of a file behind and raises an OSError that names the path. What
is no regular file (a device, a pipe) is written to as it is and never replaced.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".writing"  # of the file aside; left behind only by a process that was killed, overwritten by the next


@contextmanager
def named(path: Path) -> Iterator[None]:
    """An OSError of the block that names no file names `path`: that of a write to an open file does not."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Stream whose content becomes `path` when the block ends without an exception. Makes the folder if need be.

    Raises OSError with `path` as its filename, whatever part of the write failed.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        target = path.resolve()  # of a link: what it points to
        target.parent.mkdir(parents=True, exist_ok=True)
        yield from _written_aside(target)
    except OSError as error:
        if error.errno is None:  # a sentence of ours about a file that was read meanwhile
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _written_aside(target: Path) -> Iterator[BinaryIO]:
    aside = target.with_name(target.name + SUFFIX)
    try:
        with aside.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Replace `path` by `content` at once. Raises OSError that names the path."""
    with whole_file(path) as stream:
        stream.write(content)


@contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator["Together"]:
    """Streams whose contents become the files together when the block ends without an exception, else none does.

    The last file says that the others belong together: it is taken away before the first is replaced and comes back
    behind them all. Raises OSError that names a file, whatever part of the write failed.
    """
    together = Together()
    try:
        for path in paths:
            together.open(path)
        with named(paths[0].parent):
            yield together
        together.sync()
        together.replace()
    except BaseException:
        together.discard()
        raise


class Together:
    """Files that are written aside and replaced together; made by `whole_files`."""

    def __init__(self) -> None:
        self.streams: list[BinaryIO] = []
        self._paths: list[Path] = []
        self._moves: list[tuple[Path, Path] | None] = []  # from aside to its place; None: written where it is

    def open(self, path: Path) -> None:
        """One more file."""
        with named(path):
            special = path.exists() and not path.is_file()
            target = path.resolve()  # of a link: what it points to
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(target.name + SUFFIX)
            self.streams.append((path if special else aside).open("wb"))
        self._paths.append(path)
        self._moves.append(None if special else (aside, target))

    def sync(self) -> None:
        """Everything that was written is on the disk, under other names still."""
        for path, stream, move in zip(self._paths, self.streams, self._moves, strict=True):
            with named(path):
                stream.flush()
                if move is not None:
                    os.fsync(stream.fileno())

    def replace(self) -> None:
        """Give the files their names."""
        for path, stream in zip(self._paths, self.streams, strict=True):
            with named(path):
                stream.close()
        moves = [move for move in self._moves if move is not None]
        if self._moves and self._moves[-1] is not None:
            self._moves[-1][1].unlink(missing_ok=True)
        for aside, target in moves:
            aside.replace(target)
        for folder in {target.parent for _, target in moves}:
            _sync_folder(folder)

    def discard(self) -> None:
        """Leave no part of a file behind."""
        for stream in self.streams:
            with suppress(OSError):  # on a full disk what is still buffered fails again
                stream.close()
        for move in self._moves:
            if move is not None:
                move[0].unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
