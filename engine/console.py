"""The console of the command line: where nobody reads any more (`reasonmill run | head`, a closed terminal), or nothing
can be written, the showing ends and the work goes on.
"""

import contextlib
import errno
import os
import sys

from rich.console import Console

_GONE = (errno.EPIPE, errno.EIO)  # the reader of a pipe, a terminal


class LastingConsole(Console):
    """Falls silent where rich's own console would end the process."""

    def _check_buffer(self) -> None:  # the one place of rich in which text goes out, of live tables too
        try:
            super()._check_buffer()
        except OSError as error:
            self.on_broken_pipe()
            if error.errno not in _GONE:
                tell(f"warning: standard output cannot be written ({error.strerror}), nothing more is shown")

    def on_broken_pipe(self) -> None:
        """Nobody reads standard output any more: it goes nowhere from now on."""
        silence()
        self.quiet = True


def silence() -> None:
    """Point standard output at nothing, so that Python's own flush at exit meets no broken pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def tell(text: str) -> None:
    """A line on standard error, if anybody is there to read it."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: the stream was closed
        print(text, file=sys.stderr, flush=True)


def show_any_text() -> None:
    """Let text that the terminal's character set does not have be shown as escapes rather than end the work."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
