"""Memory and processes of a whole slot, bounded by the kernel's control groups where this process may make some
(version 1, or version 2 in a delegated group). Elsewhere the slot itself looks after them, less exactly.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PREFIX = "reasonmill-"
_OWN_LEAF = f"{_PREFIX}own"  # version 2: where this process moves to, since a group with limited children holds none
_OOM_KILL = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_MEMORY_FILES = ("memory.max", "memory.limit_in_bytes")  # of version 2 and 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A group in which a slot's group is made, and the limits that it has."""

    parent: Path
    limits: dict[str, int]


class Cgroup:
    """One group per controller, holding everything that a slot starts."""

    def __init__(self, folders: tuple[Path, ...], memory_bytes: int) -> None:
        self._folders = folders
        self._memory_bytes = memory_bytes
        self._events_fd: int | None = None  # kept open: it is read after every job
        self._kills = 0

    def add(self, pid: int) -> None:
        """Move a process, and what it will start, into the group."""
        for folder in self._folders:
            with suppress(ProcessLookupError):  # it is dead already, and somebody else finds out
                (folder / "cgroup.procs").write_text(str(pid))

    def limit_memory(self, memory_bytes: int) -> None:
        """Bound the memory of all processes together, files in memory included, from now on."""
        if memory_bytes == self._memory_bytes:
            return
        for folder in self._folders:
            for name in _MEMORY_FILES:
                if (folder / name).exists():
                    (folder / name).write_text(str(memory_bytes))
        self._memory_bytes = memory_bytes

    def new_memory_kills(self) -> int:
        """How often the kernel killed for want of memory since this was last asked; 0 where it does not tell."""
        if self._events_fd is None:
            self._events_fd = self._open_events()
        if self._events_fd < 0:
            return 0
        found = _OOM_KILL.search(os.pread(self._events_fd, 4096, 0))
        kills, self._kills = self._kills, int(found[1]) if found else self._kills
        return self._kills - kills

    def _open_events(self) -> int:
        for folder in self._folders:
            for name in ("memory.events", "memory.oom_control"):  # of version 2 and 1
                with suppress(OSError):
                    return os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        return -1

    def remove(self) -> None:
        """Remove the group; its processes must be gone."""
        if self._events_fd is not None and self._events_fd >= 0:
            os.close(self._events_fd)
        self._events_fd = -1
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()


def make_cgroup(name: str, *, memory_bytes: int, max_processes: int) -> Cgroup | None:
    """A bounded group under the one this process is in, or None where that cannot be."""
    return make_in(Hierarchies.of_this_process().places(memory_bytes, max_processes), name, memory_bytes)


def make_in(places: list[Place], name: str, memory_bytes: int) -> Cgroup | None:
    """A group of this name in every place, or None and nothing."""
    folders: list[Path] = []
    for place in places:
        folder = place.parent / f"{_PREFIX}{os.getpid()}-{name}"
        try:
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            for file, value in place.limits.items():
                (folder / file).write_text(str(value))
        except OSError:
            Cgroup(tuple(folders), memory_bytes).remove()
            return None
    return Cgroup(tuple(folders), memory_bytes) if folders else None


def remove_leftovers() -> None:
    """Remove the groups of processes that are gone: a killed parent cannot."""
    for place in Hierarchies.of_this_process().places(0, 0):
        for folder in place.parent.glob(f"{_PREFIX}*-*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdigit() and not Path("/proc", pid).exists():
                with suppress(OSError):
                    folder.rmdir()


@dataclass(frozen=True, kw_only=True)
class Hierarchies:
    """Where control groups are mounted, and in which this process is."""

    mounts: str  # content of /proc/self/mounts
    groups: str  # content of /proc/self/cgroup
    root: Path = field(default=Path("/"))  # for tests: where mount points are found

    @classmethod
    def of_this_process(cls) -> "Hierarchies":
        """Those of this process; none on a system without."""
        texts = []
        for path in (Path("/proc/self/mounts"), Path("/proc/self/cgroup")):
            try:
                texts.append(path.read_text())
            except OSError:
                texts.append("")
        return cls(mounts=texts[0], groups=texts[1])

    def places(self, memory_bytes: int, max_processes: int) -> list[Place]:
        """Parents and limits of a slot's groups; both controllers or none."""
        own = self._own_groups()
        if "memory" in own and "pids" in own:
            return [
                Place(parent=own["memory"], limits={"memory.limit_in_bytes": memory_bytes}),
                Place(parent=own["pids"], limits={"pids.max": max_processes}),
            ]
        if "" in own and (parent := _delegated(own[""])) is not None:
            return [Place(parent=parent, limits={"memory.max": memory_bytes, "pids.max": max_processes})]
        return []

    def _own_groups(self) -> dict[str, Path]:
        """Folder of this process's group by controller; the key of version 2 is empty."""
        mounts: dict[str, Path] = {}
        for line in self.mounts.splitlines():
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup2":
                mounts[""] = self.root / where.lstrip("/")
            elif kind == "cgroup":
                found = [name for name in options.split(",") if name in ("memory", "pids")]
                mounts.update({name: self.root / where.lstrip("/") for name in found})
        groups: dict[str, Path] = {}
        for line in self.groups.splitlines():
            _, controllers, path = line.split(":", 2)
            for name in controllers.split(","):
                if name in mounts:
                    folder = mounts[name] / path.lstrip("/")
                    groups[name] = folder if folder.is_dir() else mounts[name]
        return groups


def _delegated(folder: Path) -> Path | None:
    """The group of version 2 below which limited groups can be made. One that holds processes cannot have any: where
    it holds nothing but this process and what it started, as `systemd-run --scope -p Delegate=yes` leaves it, all
    of them move into a leaf.
    """
    if folder.name == _OWN_LEAF:
        folder = folder.parent
    wanted = {"memory", "pids"}
    try:
        if wanted <= set((folder / "cgroup.subtree_control").read_text().split()):
            return folder
        if not wanted <= set((folder / "cgroup.controllers").read_text().split()):
            return None
        held = {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}
        if held and held <= {os.getpid(), *descendants(os.getpid())}:
            leaf = folder / _OWN_LEAF
            leaf.mkdir(exist_ok=True)
            for pid in held:
                (leaf / "cgroup.procs").write_text(str(pid))
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return None
    return folder


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that these have started."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [below for child in children for below in descendants(child)]
