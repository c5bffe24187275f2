"""What untrusted programs would run in. Every mechanism is tried as a run would use it, not merely looked for: many
containers have the program and refuse what it does.
"""

import asyncio
import shutil
from pathlib import Path

from reasonmill.engine.doctor.finding import Finding, first_line, output_of
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.sandbox.cgroups import make_cgroup
from reasonmill.verify.sandbox.inside.seccomp import PROCESSORS, unknown_processor
from reasonmill.verify.settings import VerifySettings

AREA = "sandbox"
SLOT_TIMEOUT_S = 2.5  # a slot starts and contains its probe in 0.3 s on a quiet machine
_WITHOUT = "code is not run: its queries end as not_run, reason no_sandbox"
_UNLOCK = (
    "sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
    "  (in a container: --cap-add SYS_ADMIN --security-opt seccomp=unconfined)"
)


def bubblewrap() -> Finding:
    """A sandbox slot is started and given a program that tries to get out."""
    program = shutil.which("bwrap")
    if program is None:
        return Finding(
            area=AREA,
            name="bubblewrap",
            state="missing",
            found="no bwrap on the path",
            matters=_WITHOUT,
            install="apt-get install bubblewrap",
        )
    if (unknown := unknown_processor()) is not None:
        return Finding(
            area=AREA,
            name="bubblewrap",
            state="missing",
            found=unknown,
            matters=_WITHOUT,
            install=f"nothing helps here: verify code on one of {', '.join(PROCESSORS)}",
        )
    version = first_line(output_of((program, "--version"))[1])
    try:
        refusal = asyncio.run(_try_a_slot())
    except TimeoutError:
        return Finding(
            area=AREA,
            name="bubblewrap",
            state="degraded",
            found=f"{version}: a slot did not start within {SLOT_TIMEOUT_S:g} s",
            matters="a busy machine, or one that hangs in it: runs wait longer and then say so",
        )
    if refusal is not None:
        return Finding(
            area=AREA,
            name="bubblewrap",
            state="missing",
            found=f"{version} is there, but {refusal}",
            matters=_WITHOUT,
            install=_UNLOCK,
        )
    return Finding(area=AREA, name="bubblewrap", state="ok", found=f"{version}, a slot started and contained its probe")


async def _try_a_slot() -> str | None:
    async with asyncio.timeout(SLOT_TIMEOUT_S), VerifierPool(VerifySettings()) as pool:
        return await pool.probe_sandbox()


def cgroups(root: Path = Path("/sys/fs/cgroup")) -> Finding:
    """Whether memory and processes of a job can be bounded together: a group is made and removed again."""
    version = "version 2" if (root / "cgroup.controllers").is_file() else "version 1"
    group = make_cgroup("doctor", memory_bytes=2**28, max_processes=16)
    if group is None:
        return Finding(
            area=AREA,
            name="cgroups",
            state="degraded",
            found=f"{version}, but this process may not make groups" if root.is_dir() else "none are mounted",
            matters="memory and processes of a whole job are looked after every 30 ms, not bounded by the kernel",
            install="systemd-run --user --scope -p Delegate=yes reasonmill run …",
        )
    group.remove()
    return Finding(area=AREA, name="cgroups", state="ok", found=f"{version}, groups with limits can be made")


def compiler() -> Finding:
    """The C++ compiler, for answers in C++."""
    program = shutil.which("g++") or shutil.which("c++")
    if program is None:
        return Finding(
            area=AREA,
            name="g++",
            state="missing",
            found="no C++ compiler on the path",
            matters="answers in C++ are not run; DeepSpeed cannot build its CPU operators",
            install="apt-get install g++",
        )
    _, version = output_of((program, "--version"))
    return Finding(area=AREA, name="g++", state="ok", found=first_line(version), matters="compiles answers in C++")
