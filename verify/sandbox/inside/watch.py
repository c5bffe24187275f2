"""Waits for a job's end and ends it at its limits. CPU time of all its processes decides; wall time is a backstop that
does not count the time for which a busy machine kept the job waiting for a core. Where no control group does it
(`guard`), memory and processes of the whole job are bounded here too, as far as one can see in a look now and then.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from typing import Any

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FIRST_LOOK_S, _SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.05, 0.02, 0.25
_GUARD_LOOK_S = 0.03  # a core fills 50 MB in it
_SPARE_TASKS = 4  # of the tests, and of those that wait for others
_MAX_FILES = 10_000  # of a job; each takes a kilobyte of the kernel's memory, whatever its size
MAX_WALL_STRETCH = 4.0  # of the wall limit, however busy the machine is


def watch(pids: list[int], limits: dict[str, Any], scratch: str) -> dict[str, Any]:
    """Wait until the first of the processes ends or the job has used up a limit, then kill all of it. The outcome is
    that of the process that ended first, of the first one where none had.
    """
    poll = select.poll()
    pidfds = {os.pidfd_open(pid): pid for pid in pids}
    for pidfd in pidfds:
        poll.register(pidfd, select.POLLIN)
    started = time.monotonic()
    over, pause = None, min(_FIRST_LOOK_S, _GUARD_LOOK_S if limits["guard"] else 1.0)
    while not poll.poll(pause * 1000):
        over, pause = _look(started, limits, scratch)
        if over:
            break
    ended = {fd for fd, _ in poll.poll(0)}
    first = next((pid for pidfd, pid in pidfds.items() if pidfd in ended), pids[0])
    for pidfd in pidfds:
        os.close(pidfd)
    kill_all()
    statuses, cpu_s = _reap()
    code = os.waitstatus_to_exitcode(statuses[first])
    return {
        "exit": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "over_wall": over == "wall",
        "over_cpu": over == "cpu" or cpu_s >= limits["cpu_s"],
        "over_memory": over == "memory",
        "over_files": over == "files",
        "over_processes": over == "processes",
        "cpu_s": cpu_s,
        "wall_s": time.monotonic() - started,
    }


def _look(started: float, limits: dict[str, Any], scratch: str) -> tuple[str | None, float]:
    """The limit that is used up, or None; and seconds until the next look."""
    cpu_s, resident_bytes, num_tasks = 0.0, 0, 0
    own_bytes = _resident_bytes(_stat("self"))
    for pid in _others():
        fields = _stat(pid)
        if fields:
            cpu_s += sum(map(int, fields[11:15])) / _TICKS_PER_S  # its own and that of children it has waited for
            resident_bytes += max(0, _resident_bytes(fields) - own_bytes)  # beyond what it shares with this process
            num_tasks += int(fields[17])  # its threads
    if cpu_s >= limits["cpu_s"]:
        return "cpu", 0.0
    if limits["guard"] and resident_bytes > limits["memory_bytes"]:
        return "memory", 0.0
    if limits["guard"] and num_tasks > limits["processes"] + _SPARE_TASKS:
        return "processes", 0.0
    files = os.statvfs(scratch)
    if files.f_files - files.f_ffree > _MAX_FILES:
        return "files", 0.0
    wall_s = time.monotonic() - started
    if wall_s >= limits["wall_s"] and (
        wall_s - _waited_s() >= limits["wall_s"] or wall_s >= MAX_WALL_STRETCH * limits["wall_s"]
    ):
        return "wall", 0.0
    parallel = min(max(1, num_tasks), os.cpu_count() or 1)
    pause = min(_LONGEST_LOOK_S, (limits["cpu_s"] - cpu_s) / parallel, abs(limits["wall_s"] - wall_s))
    return None, min(_GUARD_LOOK_S, pause) if limits["guard"] else max(_SHORTEST_LOOK_S, pause)


def _others() -> Iterator[str]:
    return (name for name in os.listdir("/proc") if name.isdigit() and name != "1")


def _stat(pid: str) -> list[bytes]:
    """Fields of /proc/PID/stat from the third on; none where the process is gone."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return []


def _read(path: str) -> bytes:
    """The content of a small file of the kernel."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def _resident_bytes(fields: list[bytes]) -> int:
    return int(fields[21]) * _PAGE_BYTES if fields else 0


def _waited_s() -> float:
    """Seconds for which the job's processes could have run and had no core; 0 where the kernel does not tell."""
    waited_ns = 0
    for pid in _others():
        try:
            waited_ns += int(_read(f"/proc/{pid}/schedstat").split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return waited_ns / 1e9


def kill_all() -> None:
    """Kill every process of the namespace but this one; none can escape by forking."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap() -> tuple[dict[int, int], float]:
    """Status by process id, and CPU seconds of all."""
    statuses: dict[int, int] = {}
    cpu_s = 0.0
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return statuses, cpu_s
        statuses[pid] = status
        cpu_s += usage.ru_utime + usage.ru_stime
