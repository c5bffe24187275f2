"""Sandbox slots: started when the first job needs one, used by one job at a time, replaced when they break. Where no
sandbox can be had, jobs are refused with the reason; nothing ever runs outside one.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from reasonmill.verify.child import Child, ChildDied
from reasonmill.verify.sandbox.bubblewrap import Mode, slot_command
from reasonmill.verify.sandbox.cgroups import Cgroup, descendants, make_cgroup, remove_leftovers
from reasonmill.verify.sandbox.inside.seccomp import unknown_processor
from reasonmill.verify.sandbox.inside.watch import MAX_WALL_STRETCH
from reasonmill.verify.settings import SandboxSettings

START_LIMIT_S = 30.0  # a slot starts in 0.1 s, on a machine that is busy in a few
GRACE_S = 10.0  # beyond the longest wall time, for the slot to end the job, read its output and report
CLEAN_LIMIT_S = 10.0  # to remove the files of a job
_SLOT_OVERHEAD_BYTES = 64 * 2**20  # of the slot's own process
_SLOT_OVERHEAD_PROCESSES = 4


class SandboxMissing(Exception):
    """There is no sandbox on this machine; the message says why."""


class Slot:
    """One running sandbox."""

    def __init__(self, child: Child, cgroup: Cgroup | None) -> None:
        self._child = child
        self._cgroup = cgroup

    @property
    def pid(self) -> int:
        """Process id of the sandbox as seen from outside."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it takes jobs."""
        return self._child.alive

    async def run(self, job: dict[str, Any], **attached: bytes) -> dict[str, Any]:
        """What the slot reports of one job, which finds the attached bytes (`stdin`, `tests` …) in files. Raises
        ChildDied when the job took the slot with it.
        """
        if self._cgroup is not None:
            self._cgroup.limit_memory(int(job["limits"]["memory_bytes"]) + _SLOT_OVERHEAD_BYTES)
        limits = {**job["limits"], "guard": self._cgroup is None}
        outcome = await self._child.ask(
            {**job, "limits": limits},
            deadline_s=MAX_WALL_STRETCH * limits["wall_s"] + GRACE_S,
            attached=attached,
        )
        outcome = {"stdout": "", "stderr": "", "events": "", **outcome}
        outcome["out_of_memory"] = outcome["over_memory"] or (
            self._cgroup is not None and self._cgroup.new_memory_kills() > 0
        )
        if not outcome["clean"]:
            await self._child.settle(deadline_s=CLEAN_LIMIT_S)
        return outcome

    async def close(self) -> None:
        """Kill the sandbox and all that is in it."""
        await self._child.close()
        if self._cgroup is not None:
            self._cgroup.remove()


class SlotPool:
    """At most `settings.num_slots` slots, in the first of `modes` that works here."""

    def __init__(self, settings: SandboxSettings, modes: tuple[Mode, ...] | None = None) -> None:
        self._settings = settings
        self._modes = modes or usable_modes()
        self._room = asyncio.Semaphore(settings.num_slots)
        self._numbers = list(range(settings.num_slots))[::-1]  # of slots that are not running
        self._free: list[tuple[int, Slot]] = []
        self._running: dict[int, Slot] = {}
        self._burying: set[asyncio.Task[None]] = set()
        self._mode: Mode | None = None
        self._choosing = asyncio.Lock()
        self.missing: str | None = _missing_parts()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the slots that are running, as seen from outside."""
        return tuple(slot.pid for slot in self._running.values())

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Slot]:
        """A slot for oneself. Raises SandboxMissing, or ChildDied where a slot does not start though others did."""
        async with self._room:
            number, slot = await self._take()
            try:
                yield slot
            except BaseException:
                burying = asyncio.create_task(self._bury(number))
                self._burying.add(burying)
                burying.add_done_callback(self._burying.discard)
                await asyncio.shield(burying)  # a second cancellation leaves it to `close`
                raise
            if slot.alive:
                self._free.append((number, slot))
            else:
                await self._bury(number)

    async def _take(self) -> tuple[int, Slot]:
        while self._free:
            number, slot = self._free.pop()
            if slot.alive:
                return number, slot
            await self._bury(number)
        mode = await self._choose_mode()
        number = self._numbers.pop()
        try:
            self._running[number] = slot = await self._start(number, mode)
        except BaseException:
            self._numbers.append(number)
            raise
        return number, slot

    async def _choose_mode(self) -> Mode:
        """The first mode in which a slot starts and contains a probe; tried once."""
        async with self._choosing:
            if self._mode is not None:
                return self._mode
            if self.missing is not None:
                raise SandboxMissing(self.missing)
            remove_leftovers()
            reasons = []
            for mode in self._modes:
                reason = await self._probe(mode)
                if reason is None:
                    self._mode = mode
                    return mode
                reasons.append(f"{mode}: {reason}")
            self.missing = "bubblewrap does not work here (" + "; ".join(reasons) + ")"
            raise SandboxMissing(self.missing)

    async def _probe(self, mode: Mode) -> str | None:
        number = self._numbers[-1]
        try:
            slot = await self._start(number, mode)
        except ChildDied as error:
            return str(error)
        try:
            outcome = await slot.run(probe_job(self._settings))
        except ChildDied as error:
            return str(error)
        finally:
            await asyncio.shield(slot.close())
        if outcome["exit"] != 0 or outcome["stdout"] != PROBE_OUTPUT:
            return f"a probe was not contained: {outcome['stdout']!r} {outcome['stderr'][-200:]!r}"
        return None

    async def _start(self, number: int, mode: Mode) -> Slot:
        settings = self._settings
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise ChildDied("bwrap is gone")
        try:
            command = slot_command(bwrap, mode, number=number, scratch_bytes=settings.scratch_mib * 2**20)
        except ValueError as error:
            raise ChildDied(str(error)) from None
        cgroup = make_cgroup(
            f"slot{number}-{id(self):x}",
            memory_bytes=max(settings.memory_mib, settings.compile_memory_mib) * 2**20 + _SLOT_OVERHEAD_BYTES,
            max_processes=settings.max_processes + _SLOT_OVERHEAD_PROCESSES,
        )
        try:
            child = await Child.start(command.argv, command.environment, deadline_s=START_LIMIT_S)
        except BaseException:
            if cgroup is not None:
                cgroup.remove()
            raise
        if cgroup is not None:
            for pid in (child.pid, *descendants(child.pid)):  # no job runs yet that could be missed
                cgroup.add(pid)
        return Slot(child, cgroup)

    async def _bury(self, number: int) -> None:
        slot = self._running.pop(number, None)
        if slot is not None:
            await slot.close()
            self._numbers.append(number)

    async def close(self) -> None:
        """Kill all slots."""
        while self._burying:
            await asyncio.wait(self._burying)
        self._free.clear()
        for number in list(self._running):
            await self._bury(number)


def usable_modes() -> tuple[Mode, ...]:
    """Modes that this user can try, the cheaper first."""
    return ("root", "user") if os.geteuid() == 0 else ("user",)


def _missing_parts() -> str | None:
    if sys.platform != "linux":
        return f"bubblewrap needs Linux, this is {sys.platform}"
    if (unknown := unknown_processor()) is not None:
        return unknown
    if shutil.which("bwrap") is None:
        return "bwrap is not installed (Debian and Ubuntu: apt-get install bubblewrap)"
    return None


PROBE_OUTPUT = "contained\n"
# Raises unless: no network device but loopback, nobody else's processes, nothing writable but the job's folder, and a
# user that cannot become another.
_PROBE = """
import ctypes, os
interfaces = [line.partition(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
assert set(interfaces) <= {"lo"}, interfaces
assert len([p for p in os.listdir("/proc") if p.isdigit()]) <= 4, os.listdir("/proc")
assert os.getuid() != 0
for folder in ("/", "/usr", "/dev", "/etc"):
    try:
        open(folder + "/probe", "w")
    except OSError:
        continue
    raise AssertionError(f"{folder} is writable")
try:
    os.setuid(0)
except OSError:
    pass
else:
    raise AssertionError("it can become root")
open("file", "w").close()
if os.fork() == 0:
    os._exit(0)
os.wait()
assert ctypes.CDLL(None).unshare(0x10000000) != 0, "it can make namespaces"
print("contained")
"""


def probe_job(settings: SandboxSettings) -> dict[str, Any]:
    """A job that fails unless the sandbox contains it."""
    return {"kind": "program", "source": _PROBE, "limits": job_limits(settings)}


def job_limits(settings: SandboxSettings) -> dict[str, float]:
    """Limits of one test, as the slot wants them."""
    return {
        "cpu_s": settings.cpu_limit_s,
        "wall_s": settings.wall_limit_s,
        "memory_bytes": settings.memory_mib * 2**20,
        "file_bytes": settings.output_mib * 2**20,
        "processes": settings.max_processes,
    }
