"""No process of a run outlives it: children die with their parent, and what was left behind is found and killed."""

import ctypes
import os
import signal
import sys
from pathlib import Path

RUN_MARK = "REASONMILL_RUN"  # environment variable that every process of a run inherits
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, and exit now if the parent is already gone."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def marked_processes(mark: str) -> list[int]:
    """Process ids, other than this one, whose environment carries `REASONMILL_RUN=mark`."""
    wanted = f"{RUN_MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def kill_marked(mark: str, *, spare: frozenset[int] = frozenset()) -> int:
    """Kill every process that carries the mark, this one and `spare` apart; returns how many there were."""
    victims = [pid for pid in marked_processes(mark) if pid not in spare]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(victims)
