"""A forked process gives up what it does not need before it runs foreign code: its user, its rights, its resources.
Whatever fails here ends the process: a job runs confined or not at all.
"""

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Any

_PR_SET_DUMPABLE = 4
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CAPABILITY_VERSION_3 = 0x20080522
_MAX_OPEN_FILES = 64
_STACK_BYTES = 64 * 2**20  # deep recursion; the layout of the address space leaves the main thread no more

_libc = ctypes.CDLL(None, use_errno=True)


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of the same user may look into this one."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl")


def become_job_user(uid: int) -> None:
    """As root: become the slot's user for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_dumpable(True)  # /proc/self, /dev/stdin


def enter_own_namespaces() -> None:
    """Not as root: users and processes of the next child are apart from those of the slot."""
    uid, gid = os.getuid(), os.getgid()
    _check(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWPID), "unshare")
    set_dumpable(True)  # else /proc/self is root's, and the maps cannot be written
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    set_dumpable(False)


def drop_capabilities() -> None:
    """Give up all rights over the own namespaces."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, none), "capset")
    set_dumpable(True)


def limit_resources(limits: dict[str, Any], *, exec_follows: bool) -> None:
    """Limits of the job and of every process that it starts."""
    cpu_s = max(1, -int(-limits["cpu_s"] // 1))
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s)  # at the hard limit comes a SIGKILL, which no program ignores
    _limit(resource.RLIMIT_AS, limits["memory_bytes"], limits["memory_bytes"])
    _limit(resource.RLIMIT_FSIZE, limits["file_bytes"], limits["file_bytes"])
    _limit(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES, _MAX_OPEN_FILES)
    _limit(resource.RLIMIT_NPROC, limits["processes"], limits["processes"])
    _limit(resource.RLIMIT_CORE, 0, 0)
    stack = limits["memory_bytes"] // 4 if exec_follows else _STACK_BYTES
    _limit(resource.RLIMIT_STACK, stack, resource.RLIM_INFINITY)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGXFSZ and not exec_follows else signal.SIG_DFL)


def _limit(kind: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft = min(soft, ceiling)
        hard = ceiling if hard == resource.RLIM_INFINITY else min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
