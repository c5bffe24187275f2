"""Memory and processes of a whole slot, bounded by the kernel's control groups where this process may make some
(version 1 or 2). Elsewhere the limits of single processes have to do.
"""

import os
from contextlib import suppress
from pathlib import Path

_PREFIX = "reasonmill-"


class Cgroup:
    """One group per controller, holding everything that a slot starts."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = folders

    def add(self, pid: int) -> None:
        """Move a process, and what it will start, into the group."""
        for folder in self._folders:
            with suppress(ProcessLookupError):  # it is dead already, and somebody else finds out
                (folder / "cgroup.procs").write_text(str(pid))

    def memory_kills(self) -> int:
        """How often the kernel killed for want of memory so far; 0 where it does not tell."""
        for folder in self._folders:
            for name, key in (("memory.events", "oom_kill"), ("memory.oom_control", "oom_kill")):
                with suppress(OSError):
                    for line in (folder / name).read_text().splitlines():
                        if line.split()[0] == key:
                            return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Remove the group; its processes must be gone."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()


def make_cgroup(name: str, *, memory_bytes: int, max_processes: int) -> Cgroup | None:
    """A bounded group under the one this process is in, or None where that cannot be."""
    folders: list[Path] = []
    for parent, files in _places(memory_bytes, max_processes):
        folder = parent / f"{_PREFIX}{os.getpid()}-{name}"
        try:
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            for file, value in files.items():
                (folder / file).write_text(str(value))
        except OSError:
            Cgroup(tuple(folders)).remove()
            return None
    return Cgroup(tuple(folders)) if folders else None


def remove_leftovers() -> None:
    """Remove the groups of processes that are gone: a killed parent cannot."""
    for parent, _ in _places(0, 0):
        for folder in parent.glob(f"{_PREFIX}*-*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if not Path("/proc", pid).exists():
                with suppress(OSError):
                    folder.rmdir()


def _places(memory_bytes: int, max_processes: int) -> list[tuple[Path, dict[str, int]]]:
    """Parent folder and limits per hierarchy; both controllers or none."""
    own = _own_groups()
    if "memory" in own and "pids" in own:
        return [
            (own["memory"], {"memory.limit_in_bytes": memory_bytes}),
            (own["pids"], {"pids.max": max_processes}),
        ]
    unified = own.get("")
    if unified is not None and _delegates(unified):
        return [(unified, {"memory.max": memory_bytes, "pids.max": max_processes})]
    return []


def _delegates(folder: Path) -> bool:
    with suppress(OSError):
        return {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split())
    return False


def _own_groups() -> dict[str, Path]:
    """Folder of this process's group by controller; the key of version 2 is empty."""
    mounts: dict[str, Path] = {}
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup2":
                mounts[""] = Path(where)
            elif kind == "cgroup":
                mounts.update({name: Path(where) for name in options.split(",") if name in ("memory", "pids")})
    groups: dict[str, Path] = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                if name in mounts:
                    folder = mounts[name] / path.lstrip("/")
                    groups[name] = folder if folder.is_dir() else mounts[name]
    return groups
