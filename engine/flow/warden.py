"""Outlives the coordinator by a moment: when its standard input closes, it kills every process that carries the mark.

Run as `python -m reasonmill.engine.flow.warden MARK` with a pipe as standard input and in a session of its own.
"""

import signal
import subprocess
import sys
import time

from reasonmill.engine.flow.lifeline import kill_marked

_SWEEPS = 20  # a killed process may have been about to start another
_PAUSE_S = 0.1


def start_warden(mark: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A warden of this process; closing its `stdin` ends it after a sweep."""
    return subprocess.Popen(
        [sys.executable, "-m", "reasonmill.engine.flow.warden", mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )


def main() -> None:
    """Wait for the end of standard input, then sweep until nothing marked is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(4096):
        pass
    for _ in range(_SWEEPS):
        if kill_marked(sys.argv[1]) == 0:
            return
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
