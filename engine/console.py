"""The console of the command line: a reader that goes away (`reasonmill run | head`) ends the showing, not the work."""

import os
import sys

from rich.console import Console


class LastingConsole(Console):
    """Falls silent where rich's own console would end the process."""

    def on_broken_pipe(self) -> None:
        """Nobody reads standard output any more: it goes nowhere from now on."""
        silence()
        self.quiet = True


def silence() -> None:
    """Point standard output at nothing, so that Python's own flush at exit meets no broken pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
