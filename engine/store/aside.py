"""A file that is there whole or not at all: written aside in its own folder, synced, renamed, the folder synced.

A write that fails (a full disk, say) leaves no part of a file behind and raises an OSError that names the path. What
is no regular file (a device, a pipe) is written to as it is and never replaced.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
