"""The machine itself: cores, memory, disk, shared memory, accelerators, loopback, limits."""

import os
import platform
import re
import resource
import shutil
import socket
import sys
import threading
from pathlib import Path

from reasonmill.engine.doctor.finding import Finding, first_line, output_of

AREA = "machine"
_GIB = 2**30
MIN_MEMORY_GIB = 6.0  # quickstart: coordinator, vLLM's engine, embeddings and two trainer ranks take some 5 GiB
MIN_DISK_GIB = 5.0
MIN_SHM_GIB = 0.25
MIN_OPEN_FILES = 1024  # sandbox slots, shards and sockets of a run stay far below
_ISA_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def python() -> Finding:
    """The interpreter."""
    good = sys.version_info >= (3, 11)
    return Finding(
        area=AREA,
        name="Python",
        state="ok" if good else "missing",
        found=f"{platform.python_version()} at {sys.executable}",
        matters="3.11 or newer is needed",
        install="" if good else "apt-get install python3.11 python3.11-venv",
        needed=True,
    )


def processor() -> Finding:
    """Cores that this process may use, and the instructions that the fast paths look for."""
    try:
        described = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        described = ""
    model = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", described, re.MULTILINE)
    known = flags.group(1).split() if flags else []
    isa = ", ".join(flag for flag in _ISA_FLAGS if flag in known) or "no vector flags known"
    cores, quota = len(os.sched_getaffinity(0)), core_quota()
    limited = f", limited to {quota:g} by its cgroup" if quota is not None and quota < cores else ""
    few = min(cores, quota or cores) < 2
    return Finding(
        area=AREA,
        name="CPU",
        state="degraded" if few else "ok",
        found=f"{cores} core{'s' * (cores != 1)}{limited}, {model.group(1) if model else platform.machine()} ({isa})",
        matters="verification and training take turns on one core" if few else "verifier workers: one on each core",
    )


def core_quota() -> float | None:
    """Cores that the cgroup grants, None where it sets no limit."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limited = int(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read_text())
        return limited / int(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us").read_text()) if limited > 0 else None
    except (OSError, ValueError):
        return None


def memory() -> Finding:
    """Memory that is free to use, as the kernel and the cgroup have it."""
    kernel = _meminfo()
    total, free = kernel.get("MemTotal", 0), kernel.get("MemAvailable", 0)
    limit = _cgroup_memory_limit()
    if limit is not None and limit < total:
        total, free = limit, min(free, limit)
    short = free / _GIB < MIN_MEMORY_GIB
    return Finding(
        area=AREA,
        name="memory",
        state="degraded" if short else "ok",
        found=f"{free / _GIB:.1f} GiB free of {total / _GIB:.1f} GiB",
        matters=f"the quickstart wants {MIN_MEMORY_GIB:g} GiB" if short else "",
    )


def _meminfo() -> dict[str, int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key: int(value.split()[0]) * 1024 for key, value in pairs if value.split()}


def _cgroup_memory_limit() -> int | None:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return int(Path(path).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return None


def disk() -> Finding:
    """Room where the runs will lie: the working directory."""
    free = shutil.disk_usage(Path.cwd()).free
    short = free / _GIB < MIN_DISK_GIB
    return Finding(
        area=AREA,
        name="disk",
        state="degraded" if short else "ok",
        found=f"{free / _GIB:.1f} GiB free in {Path.cwd()}",
        matters="a run keeps journal, dataset, packed rows and checkpoints" if short else "",
    )


def shared_memory() -> Finding:
    """/dev/shm, through which vLLM's processes and torch's ranks talk."""
    try:
        usage = shutil.disk_usage("/dev/shm")
    except OSError:
        return Finding(
            area=AREA, name="/dev/shm", state="missing", found="none", matters="vLLM and torch need it", install=_SHM
        )
    short = usage.free / _GIB < MIN_SHM_GIB
    return Finding(
        area=AREA,
        name="/dev/shm",
        state="degraded" if short else "ok",
        found=f"{usage.free / _GIB:.2f} GiB free of {usage.total / _GIB:.2f} GiB",
        matters="vLLM and torch pass tensors through it" if short else "",
        install=_SHM if short else "",
    )


_SHM = "mount -o remount,size=2G /dev/shm  (docker: --shm-size=2g)"


def accelerators() -> Finding:
    """NVIDIA GPUs, asked of the driver's own tool."""
    if shutil.which("nvidia-smi") is None:
        return Finding(area=AREA, name="GPUs", state="ok", found="none", matters="everything runs on the CPU")
    status, text = output_of(
        ("nvidia-smi", "--query-gpu=name,memory.total,memory.free,compute_cap,driver_version", "--format=csv,noheader")
    )
    if status != 0:
        return Finding(
            area=AREA,
            name="GPUs",
            state="degraded",
            found=f"nvidia-smi fails: {first_line(text)}",
            matters="everything runs on the CPU until the driver answers",
        )
    gpus = [line.strip() for line in text.splitlines() if line.strip()]
    return Finding(area=AREA, name="GPUs", state="ok", found=f"{len(gpus)}: " + "; ".join(gpus) if gpus else "none")


def loopback() -> Finding:
    """Whether ranks and engines of one machine can meet: a free port, and a host name that resolves."""
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return Finding(
            area=AREA,
            name="ports",
            state="missing",
            found=f"no port of 127.0.0.1 can be bound: {error.strerror}",
            matters="vLLM's processes and the trainer's ranks cannot talk",
            install="ip link set lo up",
        )
    if not resolves(socket.gethostname()):
        return Finding(
            area=AREA,
            name="ports",
            state="degraded",
            found=f"127.0.0.1 works; the host name {socket.gethostname()!r} does not resolve",
            matters="gloo looks the host name up: trainer ranks may not find each other",
            install=f"echo '127.0.0.1 {socket.gethostname()}' >> /etc/hosts",
        )
    return Finding(area=AREA, name="ports", state="ok", found="127.0.0.1 has free ports, the host name resolves")


def resolves(name: str, *, timeout_s: float = 1.0) -> bool:
    """Whether a host name resolves within the time; a slow name server counts as none."""
    found = threading.Event()

    def look_up() -> None:
        try:
            socket.getaddrinfo(name, None)
        except OSError:
            return
        found.set()

    threading.Thread(target=look_up, daemon=True).start()
    return found.wait(timeout_s)


def open_files() -> Finding:
    """The limit on open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 0 <= soft < MIN_OPEN_FILES
    return Finding(
        area=AREA,
        name="open files",
        state="degraded" if few else "ok",
        found=f"at most {soft} (hard limit {hard})",
        install=f"ulimit -n {min(hard, 65536) if hard > 0 else 65536}" if few else "",
    )
