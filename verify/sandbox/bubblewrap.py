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
# settings of the whole machine: root keeps its right to write them in a user namespace of its own
_KERNEL_FILES = (
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/mtrr",
)
# of the zygote as root, never of a job: change to the job's user, kill its processes, remove its files
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
_USER_ID = 1000  # inside the user namespace; any but 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotCommand:
    """What starts a slot."""

    argv: tuple[str, ...]
    environment: dict[str, str]


def slot_command(bwrap: str, mode: Mode, *, number: int, scratch_bytes: int) -> SlotCommand:
    """Command of slot `number` (0 to 255). The parent's environment stays outside, but for the mark of its run."""
    argv = [bwrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if mode == "root":
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
    if mode == "root":
        argv += map(str, job_uids(number))
    mark = {name: os.environ[name] for name in ("REASONMILL_RUN",) if name in os.environ}
    return SlotCommand(argv=tuple(argv), environment={"PATH": os.defpath, **mark})


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
    argv += ["--proc", "/proc"]
    for path in filter(os.path.exists, _KERNEL_FILES):
        argv += ["--ro-bind", path, path]
    argv += ["--dev", "/dev", "--remount-ro", "/dev"]
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


def job_uids(number: int) -> tuple[int, int]:
    """User ids of a slot's solutions and of their tests, shared with nobody: the limit on processes counts per user,
    all over the machine, and a user's processes can reach each other.
    """
    mapped = _mapped_user_ids()
    if mapped > 2**32 - 2**24:
        uid = 2**30 + ((os.getpid() & 0x3F_FFFF) << 8) + number
        return uid, uid + 2**30
    if mapped < 1024:
        raise ValueError(f"only {mapped} user ids are mapped: a slot as root needs two of its own")
    quarter = mapped // 4
    uid = 2 * quarter + (os.getpid() * 256 + number) % quarter
    return uid, uid + quarter


def _mapped_user_ids() -> int:
    """How many user ids from 0 this process can change to; 65536 in many containers."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first == 0:
            return count
    return 1
