"""The command line of a sandbox slot: a read-only system, no network, no environment, one bounded scratch folder."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# "root": real root outside, jobs under a user id of their own. "user": own user namespace, jobs in a nested one.
Mode = Literal["root", "user"]

_INSIDE = "/reasonmill-inside"
_SYSTEM = ("/usr",)
_SYSTEM_LINKS_OR_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
# of the zygote as root, never of a job: change to the job's user, kill its processes, remove its files
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
_USER_ID = 1000  # inside the user namespace; any but 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotCommand:
    """What starts a slot; `uid` is the user of its jobs, None in mode "user"."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    uid: int | None


def slot_command(bwrap: str, mode: Mode, *, number: int, scratch_bytes: int) -> SlotCommand:
    """Command of slot `number` (0 to 255). The parent's environment stays outside, but for the mark of its run."""
    argv = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    uid = None
    if mode == "root":
        uid = job_uid(number)
        argv += ["--cap-drop", "ALL"]
        for capability in _CAPABILITIES:
            argv += ["--cap-add", capability]
    else:
        argv += ["--unshare-user", "--uid", str(_USER_ID), "--gid", str(_USER_ID)]
    argv += ["--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "sandbox", "--clearenv"]
    for name, value in _ENVIRONMENT.items():
        argv += ["--setenv", name, value]
    argv += _mounts(scratch_bytes)
    argv += ["--chdir", "/", "--", _interpreter(), "-I", "-S", "-c", _start_code()]
    if uid is not None:
        argv.append(str(uid))
    mark = {name: os.environ[name] for name in ("REASONMILL_RUN",) if name in os.environ}
    return SlotCommand(argv=tuple(argv), environment={"PATH": os.defpath, **mark}, uid=uid)


_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp/job",
    "TMPDIR": "/tmp/job",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def _mounts(scratch_bytes: int) -> list[str]:
    argv = []
    for path in _SYSTEM:
        argv += ["--ro-bind", path, path]
    for path in _SYSTEM_LINKS_OR_FOLDERS:
        if Path(path).is_symlink():
            argv += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).is_dir():
            argv += ["--ro-bind", path, path]
    for path in _SYSTEM_FILES:
        argv += ["--ro-bind-try", path, path]
    if not _is_below(sys.base_prefix, _SYSTEM):
        argv += _bound(sys.base_prefix, sys.base_prefix)
    argv += _bound(str(Path(__file__).resolve().parent / "inside"), f"{_INSIDE}/reasonmill/verify/sandbox/inside")
    argv += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    argv += ["--size", str(scratch_bytes), "--tmpfs", "/tmp", "--remount-ro", "/"]
    return argv


def _bound(source: str, destination: str) -> list[str]:
    """Bind a folder read-only; its parents are open to the job's user, which bubblewrap's own would not be."""
    parents = [str(parent) for parent in reversed(Path(destination).parents) if str(parent) != "/"]
    return [part for parent in parents for part in ("--perms", "0755", "--dir", parent)] + [
        "--ro-bind",
        source,
        destination,
    ]


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _interpreter() -> str:
    """The base interpreter behind a virtual environment: what is inside the sandbox is the standard library alone."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _start_code() -> str:
    return (
        f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {_INSIDE!r});"
        " from reasonmill.verify.sandbox.inside import zygote; sys.path.pop(0); zygote.main()"
    )


def job_uid(number: int) -> int:
    """User id of a slot's jobs, shared with nobody: the limit on processes counts per user, all over the machine."""
    mapped = _mapped_user_ids()
    if mapped > 2**31:
        return 2**30 + ((os.getpid() & 0x3F_FFFF) << 8) + number
    return mapped // 2 + (os.getpid() * 256 + number) % max(1, mapped // 2 - 1)


def _mapped_user_ids() -> int:
    """How many user ids from 0 this process can change to; 65536 in many containers."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first == 0:
            return count
    return 1
